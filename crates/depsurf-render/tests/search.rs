//! What a search found, in every form.

mod kernel;

use depsurf::Kind;
use depsurf::progress::Silent;
use depsurf::search::{Index, Query, Text};
use depsurf::surface::Surface;
use depsurf_render::Look;
use depsurf_render::search::{Results, Searched, Unknown, json, markdown, terminal};
use kernel::Kernel;
use testkit::Target;
use testkit::c::Types;

/// Kernels of which every second one has a value more.
fn kernels(count: usize) -> Vec<Surface> {
    let one = |number: usize| {
        let mut types = Types::new(Target::LE64);
        types.structure("task_struct", &[("pids", "int")]);
        let mut values = vec![("PIDTYPE_PID", 0)];
        if number % 2 == 1 {
            values.push(("PIDTYPE_SID", 1));
        }
        types.enumeration("pid_type", &values);
        let mut kernel = Kernel::new(&format!("6.{number}.0-1-cloud-amd64"));
        kernel.types(&types).config("CONFIG_PIDS", "y");
        if number > 0 {
            kernel.function("find_pid", []);
        }
        kernel.build()
    };
    (0..count).map(one).collect()
}

fn drawn(count: usize, text: &str, limit: usize, draw: impl Fn(&Results<'_>) -> String) -> String {
    let surfaces = kernels(count);
    let stamped: Vec<(&Surface, u64)> = surfaces.iter().zip(1..).collect();
    let index = Index::build(&stamped, None, &Silent).unwrap();
    let all: Vec<usize> = (0..count).collect();
    let found = index.search(&Query { text: Text::like(text), kinds: Vec::new(), limit }, &all);
    let kernels = index.kernels().iter().enumerate();
    let searched =
        kernels.map(|(place, kernel)| Searched { place, id: &kernel.id, label: format!("6.{place}") });
    draw(&Results {
        text,
        found: &found,
        kernels: searched.collect(),
        unknown: vec![Unknown { kind: Kind::Syscall, kernels: vec![0] }],
    })
}

#[test]
fn hits_stand_in_columns() {
    let table = drawn(4, "pid", 4, |results| terminal(results, &Look::default()));
    insta::assert_snapshot!(table, @r"
    kind    name                      kernels
    enum    pid_type                  all 4
    enum    PIDTYPE_PID  in pid_type  all 4
    config  CONFIG_PIDS               all 4
    enum    PIDTYPE_SID  in pid_type  6.1, 6.3
    and 2 more; --limit prints more of them
    ");
}

#[test]
fn many_kernels_are_told_by_their_number() {
    let narrow = Look { width: 60, ..Look::default() };
    let line = |look: &Look| drawn(30, "sid", 1, |results| terminal(results, look));
    assert!(line(&narrow).contains("in pid_type  15 of 30: 6.1 .. 6.29\n"), "{}", line(&narrow));
    let verbose = Look { verbose: true, ..narrow };
    assert!(line(&verbose).contains("6.1, 6.3, 6.5"), "{}", line(&verbose));
}

#[test]
fn markdown_and_json_have_the_same() {
    insta::assert_snapshot!(drawn(4, "find_pid", 9, markdown), @r"
    | kind | name | | kernels |
    | --- | --- | --- | --- |
    | function | `find_pid` |  | 6.1 .. 6.3 (3 kernels) |
    ");
    insta::assert_snapshot!(drawn(2, "task_struct::pi", 9, json), @r#"
    {
      "schema": 1,
      "text": "task_struct::pi",
      "kernels": [
        "6.0.0-1-cloud-amd64",
        "6.1.0-1-cloud-amd64"
      ],
      "total": 1,
      "hits": [
        {
          "kind": "field",
          "name": "task_struct::pids",
          "is": "field",
          "of": "task_struct",
          "page": "task_struct::pids",
          "rank": "prefix",
          "matched": [
            [
              0,
              11
            ],
            [
              13,
              15
            ]
          ],
          "kernels": [
            "6.0.0-1-cloud-amd64",
            "6.1.0-1-cloud-amd64"
          ]
        }
      ],
      "unknown": [
        {
          "kind": "syscall",
          "kernels": [
            "6.0.0-1-cloud-amd64"
          ]
        }
      ]
    }
    "#);
}
