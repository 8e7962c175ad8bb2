#!/usr/bin/env bash
# What the action runs: `depsurf check` with its inputs, and the whole report as the summary of the job.
set -uo pipefail
shopt -s globstar nullglob
depsurf=$1

set -f
words=($FILES)
set +f
files=()
for word in "${words[@]}"; do
    # A pattern that matches nothing must not pass for objects that are fine.
    matches=($word)
    if [ ${#matches[@]} -eq 0 ]; then
        echo "::error title=depsurf::\`files\` names \`$word\`, and there is no such file"
        exit 2
    fi
    files+=("${matches[@]}")
done
if [ ${#files[@]} -eq 0 ]; then
    echo "::error title=depsurf::\`files\` names no file"
    exit 2
fi

arguments=(--fail-on "$FAIL_ON")
[ -z "${KERNELS-}" ] || arguments+=(--kernel "$KERNELS")
[ -z "${BASELINE-}" ] || arguments+=(--baseline "$BASELINE")
[ -z "${ALLOW-}" ] || arguments+=(--allow "$ALLOW")
[ -z "${DATASET-}" ] || arguments+=(--dataset "$DATASET")

if [ -n "${GITHUB_STEP_SUMMARY-}" ]; then
    # A summary has a MiB at most.
    "$depsurf" check "${arguments[@]}" --quiet --format md -- "${files[@]}" | head -c 1000000 >> "$GITHUB_STEP_SUMMARY"
fi
if [ -n "${OUTPUT-}" ]; then
    exec "$depsurf" check "${arguments[@]}" --format "$FORMAT" -- "${files[@]}" > "$OUTPUT"
fi
exec "$depsurf" check "${arguments[@]}" --format "$FORMAT" -- "${files[@]}"
