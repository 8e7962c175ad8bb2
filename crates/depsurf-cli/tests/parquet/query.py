"""Runs queries in DuckDB, in the current directory: a JSON list of texts in, a list of their rows out."""

import decimal
import json
import sys

import duckdb


def plain(value):
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


connection = duckdb.connect()
# A query that needs more than this is no example to follow.
connection.execute("SET memory_limit = '1GB'; SET temp_directory = ''; SET threads = 2")
answers = []
for query in json.load(sys.stdin):
    try:
        answers.append({"rows": connection.execute(query).fetchall()})
    except duckdb.Error as error:
        answers.append({"error": str(error)})
json.dump(answers, sys.stdout, default=plain)
