//! What is compared takes turns: one round of each, then the next round; the first round warms up and is not counted.

use std::rc::Rc;

use crate::asks::Asks;
use crate::server::Server;
use crate::table::Table;
use crate::{Done, Scale, wrk};

/// One kind of request: what it is called, beside what it stands, which of the servers is asked, and what.
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) beside: Option<String>,
    pub(crate) server: usize,
    pub(crate) asks: Rc<Asks>,
}

impl Scenario {
    pub(crate) fn new(name: &str, beside: Option<&str>, server: usize, asks: &Rc<Asks>) -> Self {
        Self { name: name.to_owned(), beside: beside.map(str::to_owned), server, asks: Rc::clone(asks) }
    }
}

/// Figures by what they are about, with a value for each round.
pub(crate) struct Rounds {
    lines: Vec<(String, &'static str, Option<String>, Vec<f64>)>,
    counted: bool,
}

impl Rounds {
    /// Runs a round so often, and once more before.
    pub(crate) fn run(scale: &Scale, table: &mut Table, mut round: impl FnMut(&mut Self) -> Done<()>) -> Done<()> {
        let mut rounds = Self { lines: Vec::new(), counted: false };
        for number in 0..=scale.rounds {
            rounds.counted = number > 0;
            round(&mut rounds)?;
        }
        for (name, unit, beside, values) in &rounds.lines {
            table.add(name, unit, values, beside.as_deref());
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, name: &str, unit: &'static str, value: f64, beside: Option<&str>) {
        let place = self.lines.iter().position(|(own, ..)| own == name).unwrap_or(self.lines.len());
        if place == self.lines.len() {
            self.lines.push((name.to_owned(), unit, beside.map(str::to_owned), Vec::new()));
        }
        if let Some((.., values)) = self.lines.get_mut(place)
            && self.counted
        {
            values.push(value);
        }
    }
}

/// Runs scenarios in turns, and adds a line for what each costs and one for how many there were in a second.
pub(crate) fn run(scale: &Scale, scenarios: &[Scenario], servers: &[Server], table: &mut Table) -> Done<()> {
    Rounds::run(scale, table, |rounds| {
        for scenario in scenarios {
            let asked = servers.get(scenario.server).ok_or("no such server")?;
            wrk::check(&asked.address, &scenario.asks)?;
            let before = asked.spent()?;
            let counted = wrk::load(&asked.address, &scenario.asks, scale.http_seconds)?;
            let spent = asked.microseconds_since(&before)?;
            let beside = scenario.beside.as_deref();
            rounds.note(&scenario.name, "us CPU", spent / counted.answers, beside);
            let beside = beside.map(|beside| format!("{beside}, requests"));
            let name = format!("{}, requests", scenario.name);
            rounds.note(&name, "a second", counted.a_second(), beside.as_deref());
        }
        Ok(())
    })
}
