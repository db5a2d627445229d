// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A build with make and gcc: processes that come and go, a jobserver, temporary files, pipes between compiler passes.

use harness::case::During;
use harness::{ensure, Context, Program, Result, Target};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Files of the program, and as many of its library, which a make below the first one builds with the same jobserver.
const FILES: usize = 8;

/// Temporary files of the compiler between its passes are files in one directory, pipes in the other.
const MAKEFILE: &str = "\
objects := $(patsubst %.c,%.o,$(sort $(wildcard *.c)))
all: program
	@echo OK
program: $(objects) library/library.a
	@echo link
	@gcc -o $@ $^
library/library.a: library
	@$(MAKE) -s --no-print-directory -C library library.a FLAGS=-pipe
%.o: %.c
	@gcc -O1 $(FLAGS) -c -o $@ $<
	@echo $@
library.a: $(objects)
	@echo archive
	@ar rcD $@ $^
.PHONY: all library
";

/// A function with some work for the optimiser.
fn source(name: &str) -> String {
    let mut text = format!("unsigned {name}(unsigned x)\n{{\n\tunsigned table[64];\n");
    text.push_str("\tfor (int i = 0; i < 64; i++)\n\t\ttable[i] = x * (i + 3);\n");
    for step in 0..12 {
        let _ = writeln!(
            text,
            "\tx = (x << {}) ^ table[(x + {step}) % 64] ^ (x >> {});",
            step % 7 + 1,
            step % 5 + 1
        );
        let _ = writeln!(text, "\tif (x & {step})\n\t\ttable[{step}] += x;");
    }
    text.push_str("\treturn x;\n}\n");
    text
}

/// A project that can be built in `dir`.
fn generate(dir: &Path) -> Result {
    let library = dir.join("library");
    fs::create_dir_all(&library)?;
    fs::create_dir(dir.join("tmp"))?;
    for place in [dir, &library] {
        fs::write(place.join("Makefile"), MAKEFILE)?;
    }
    let mut names = Vec::new();
    for number in 1..FILES {
        let name = format!("own_{number}");
        fs::write(dir.join(format!("{name}.c")), source(&name))?;
        names.push(name);
    }
    for number in 0..FILES {
        let name = format!("library_{number}");
        fs::write(library.join(format!("{name}.c")), source(&name))?;
        names.push(name);
    }
    let declaration = |name| format!("unsigned {name}(unsigned);\n");
    let declarations = names.iter().map(declaration).collect::<Vec<_>>().concat();
    let call = |name| format!("\tx = {name}(x);\n");
    let calls = names.iter().map(call).collect::<Vec<_>>().concat();
    let main = format!("#include <stdio.h>\n{declarations}int main(void)\n{{\n\tunsigned x = 1;\n{calls}\tprintf(\"%u\\n\", x);\n\treturn 0;\n}}\n");
    Ok(fs::write(dir.join("main.c"), main)?)
}

/// Begins to build it.
fn build(context: &Context, name: &str) -> Result<Target> {
    let dir = context.path(name);
    generate(&dir)?;
    Program::command(context, &["make", "-j4"])
        .cwd(&dir)
        .out(&context.path(&format!("{name}.out")))
        .env("TMPDIR", &dir.join("tmp").to_string_lossy())
        .patience(120)
        .start()
}

/// What it has made: object files, the archive, the program.
fn products(dir: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for place in [dir.to_owned(), dir.join("library")] {
        for entry in fs::read_dir(place)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".o") || name.ends_with(".a") || name == "program" {
                found.push((name, fs::read(entry.path())?));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What it has said, in an order that does not depend on who was quicker.
fn said(target: &Target) -> Vec<String> {
    let mut lines = target.lines();
    lines.sort();
    lines
}

/// Saved three times while it goes on, then saved and killed, and restarted: what it has made is what another build makes.
pub fn builds(context: &Context) -> Result {
    let file = context.path("make.ckpt");
    let mut undisturbed = build(context, "undisturbed")?;
    undisturbed.wait_good_end().during("the undisturbed build")?;

    let mut target = build(context, "disturbed")?;
    let progress = |target: &mut Target, count: usize| {
        target.wait_output("progress", |lines| (lines.len() >= count).then_some(()))
    };
    for count in [2, 5, 8] {
        progress(&mut target, count)?;
        target.checkpoint(&file)?;
    }
    progress(&mut target, 10)?;
    target.checkpoint_kill(&file)?;
    let lines = target.lines().len();
    ensure!(lines < 2 * FILES, "the build was over too early");
    target.restart(&file)?;
    target.wait_good_end().during("the restarted build")?;

    ensure!(said(&target) == said(&undisturbed), "it said {:?}", target.lines());
    let [ours, theirs] = ["disturbed", "undisturbed"].map(|name| products(&context.path(name)));
    let (ours, theirs) = (ours?, theirs?);
    ensure!(ours.len() == 2 * FILES + 2, "there are {} products", ours.len());
    for (one, other) in ours.iter().zip(&theirs) {
        ensure!(one == other, "{} is not what it should be", one.0);
    }
    let left = fs::read_dir(context.path("disturbed/tmp"))?.count();
    ensure!(left == 0, "{left} temporary files are left");
    Ok(())
}
