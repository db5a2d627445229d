// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! sqlite3 fills a table in memory, statement by statement, and sums it up at the end.

use harness::{fail, Context, Program, Recipe, Result, Target};
use std::fmt::Write;
use std::fs;

const STATEMENTS: u64 = 120;
const ROWS: u64 = 400;

fn script() -> String {
    let mut sql = String::from("CREATE TABLE t(n INTEGER PRIMARY KEY, square INTEGER, text TEXT);\n");
    for statement in 0..STATEMENTS {
        let first = statement * ROWS;
        let _ = writeln!(
            sql,
            "WITH RECURSIVE c(n) AS (SELECT {first} UNION ALL SELECT n+1 FROM c WHERE n<{})              INSERT INTO t SELECT n, n*n, hex(n) FROM c;\nSELECT count(*) FROM t;",
            first + ROWS - 1
        );
    }
    sql + "SELECT count(*), sum(n), sum(square), sum(length(text)) FROM t;\nSELECT 'OK';\n"
}

/// All that it prints, computed here.
fn expected() -> String {
    let rows = STATEMENTS * ROWS;
    let mut text = String::new();
    for statement in 1..=STATEMENTS {
        let _ = writeln!(text, "{}", statement * ROWS);
    }
    let sum: u64 = (0..rows).sum();
    let squares: u64 = (0..rows).map(|n| n * n).sum();
    // hex() of an integer is that of its decimal digits.
    let length: usize = (0..rows).map(|n| n.to_string().len() * 2).sum();
    let _ = writeln!(text, "{rows}|{sum}|{squares}|{length}\nOK");
    text
}

/// Saved after some statements.
pub fn recipe() -> Recipe {
    let make = |context: &Context| {
        let sql = context.path("fill.sql");
        fs::write(&sql, script())?;
        Ok(Program::command(context, &["sqlite3", "-batch", ":memory:"]).stdin(&sql))
    };
    // sqlite3 buffers its output when that is no terminal: its CPU time says how far it is.
    let waits = |target: &mut Target| -> Result { target.wait_for_cpu_time(30) };
    let ends = |target: &mut Target| -> Result {
        harness::process::wait_until(harness::process::PATIENCE * 3, || {
            (target.output().ends_with("OK\n") || !harness::process::alive(target.pid)).then_some(())
        });
        if target.output() != expected() {
            fail!("the output differs: {:?}", target.lines().last());
        }
        Ok(())
    };
    Recipe::busy(make).waits(waits).goes_on(|_| Ok(())).ends(ends)
}
