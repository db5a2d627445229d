// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0

//! A strict reader of KTAP version 1, flat: whatever is not as announced is a failure.

use std::collections::HashSet;

#[derive(Debug, PartialEq, Eq, Clone)]
pub enum Outcome {
    Pass,
    Fail,
    Skip(String),
}

#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Case {
    pub name: String,
    pub outcome: Outcome,
}

/// What a line was.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A test case's result.
    Result(Case),
    /// The version line or the plan.
    Frame,
    /// Anything else: diagnostics, output of programs.
    Other,
}

#[derive(Debug, Default)]
pub struct Parser {
    version: bool,
    plan: Option<usize>,
    cases: Vec<Case>,
    names: HashSet<String>,
    errors: Vec<String>,
}

impl Parser {
    pub fn line(&mut self, line: &str) -> Line {
        let line = line.trim_end();
        if line == "KTAP version 1" {
            if std::mem::replace(&mut self.version, true) {
                self.errors.push("a second version line".into());
            }
            return Line::Frame;
        }
        if let Some(count) = line.strip_prefix("1..") {
            return self.plan_line(count, line);
        }
        if let Some(reason) = line.strip_prefix("Bail out!") {
            self.errors.push(format!("bailed out:{reason}"));
            return Line::Other;
        }
        if let Some(rest) = line.strip_prefix("not ok ") {
            return self.result(rest, false, line);
        }
        if let Some(rest) = line.strip_prefix("ok ") {
            return self.result(rest, true, line);
        }
        if line == "ok" || line == "not ok" {
            self.errors.push(format!("malformed line: {line}"));
        }
        Line::Other
    }

    fn plan_line(&mut self, count: &str, line: &str) -> Line {
        let Ok(count) = count.parse() else {
            self.errors.push(format!("malformed plan: {line}"));
            return Line::Frame;
        };
        if !self.version {
            self.errors.push("a plan before the version line".into());
        }
        if self.plan.replace(count).is_some() {
            self.errors.push("a second plan".into());
        }
        if !self.cases.is_empty() {
            self.errors.push("the plan comes after results".into());
        }
        Line::Frame
    }

    fn result(&mut self, rest: &str, ok: bool, line: &str) -> Line {
        let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let Ok(number) = number.parse::<usize>() else {
            self.errors.push(format!("malformed result: {line}"));
            return Line::Other;
        };
        let rest = rest.strip_prefix("- ").unwrap_or(rest);
        let (name, directive) = match rest.split_once('#') {
            Some((name, directive)) => (name.trim(), Some(directive.trim())),
            None => (rest.trim(), None),
        };
        if name.is_empty() {
            self.errors.push(format!("a result without a name: {line}"));
        }
        if self.plan.is_none() {
            self.errors.push(format!("a result before the plan: {line}"));
        }
        if number != self.cases.len() + 1 {
            let want = self.cases.len() + 1;
            self.errors
                .push(format!("result {number} where {want} was due: {line}"));
        }
        if !self.names.insert(name.to_owned()) {
            self.errors.push(format!("a second result of {name}"));
        }
        let skip = directive.and_then(|d| d.strip_prefix("SKIP"));
        let outcome = match (ok, skip) {
            (true, Some(reason)) => {
                if reason.trim().is_empty() {
                    self.errors.push(format!("{name}: skipped without a reason"));
                }
                Outcome::Skip(reason.trim().to_owned())
            }
            (true, None) => Outcome::Pass,
            (false, _) => Outcome::Fail,
        };
        let case = Case {
            name: name.to_owned(),
            outcome,
        };
        self.cases.push(case.clone());
        Line::Result(case)
    }

    /// The results, and everything that was not as it must be.
    pub fn finish(mut self) -> (Vec<Case>, Vec<String>) {
        match self.plan {
            _ if !self.version => self.errors.push("no KTAP version line: the tests did not start".into()),
            None => self.errors.push("no plan".into()),
            Some(plan) if plan != self.cases.len() => {
                let got = self.cases.len();
                let last = self.cases.last().map_or("none", |c| &c.name);
                self.errors.push(format!(
                    "{plan} cases were planned, {got} reported (the last was {last})"
                ));
            }
            Some(_) => {}
        }
        (self.cases, self.errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Vec<Case>, Vec<String>) {
        let mut parser = Parser::default();
        for line in text.lines() {
            parser.line(line);
        }
        parser.finish()
    }

    fn errors(text: &str) -> usize {
        parse(text).1.len()
    }

    #[test]
    fn reads_all_outcomes() {
        let (cases, errors) = parse(
            "KTAP version 1\n1..3\n# about a\nok 1 mm/a\nnoise\nnot ok 2 - mm/b # it broke\nok 3 mm/c # SKIP no such CPU\n",
        );
        assert_eq!(errors, Vec::<String>::new());
        assert_eq!(cases[0].outcome, Outcome::Pass);
        assert_eq!(cases[1].name, "mm/b");
        assert_eq!(cases[1].outcome, Outcome::Fail);
        assert_eq!(cases[2].outcome, Outcome::Skip("no such CPU".into()));
    }

    #[test]
    fn nothing_at_all_is_an_error() {
        assert_eq!(errors(""), 1);
        assert_eq!(errors("KTAP version 1\n"), 1);
    }

    #[test]
    fn an_empty_plan_is_complete() {
        assert_eq!(errors("KTAP version 1\n1..0\n"), 0);
    }

    #[test]
    fn an_early_end_is_an_error() {
        assert_eq!(errors("KTAP version 1\n1..2\nok 1 a\n"), 1);
    }

    #[test]
    fn too_many_results_are_an_error() {
        assert_eq!(errors("KTAP version 1\n1..1\nok 1 a\nok 2 b\n"), 1);
    }

    #[test]
    fn order_and_repetition_are_errors() {
        assert_eq!(errors("KTAP version 1\n1..2\nok 2 a\nok 1 b\n"), 2);
        assert_eq!(errors("KTAP version 1\n1..2\nok 1 a\nok 2 a\n"), 1);
    }

    #[test]
    fn a_plan_comes_once_and_first() {
        assert_eq!(errors("KTAP version 1\n1..1\n1..1\nok 1 a\n"), 1);
        assert_eq!(errors("KTAP version 1\nok 1 a\n1..1\n"), 2);
        assert_eq!(errors("KTAP version 1\n1..x\n"), 2);
    }

    #[test]
    fn malformed_results_are_errors() {
        assert_eq!(errors("KTAP version 1\n1..1\nok one\nok 1 a\n"), 1);
        assert_eq!(errors("KTAP version 1\n1..1\nok 1 \n"), 1);
        assert_eq!(errors("KTAP version 1\n1..1\nok 1 a # SKIP\n"), 1);
    }

    #[test]
    fn bailing_out_is_an_error() {
        assert_eq!(errors("KTAP version 1\n1..1\nok 1 a\nBail out! no device\n"), 1);
    }
}
