//! As much of gherkin as flagd-testbed uses: features, backgrounds, scenarios, outlines with tagged
//! examples, tables. Everything else is an error, so that no scenario is passed over in silence.

use std::collections::BTreeSet;

/// A scenario, with the values of one row of its examples put in.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// File, scenario and row.
    pub(crate) name: String,
    /// Tags of the feature, the scenario and its examples, without `@`.
    pub(crate) tags: BTreeSet<String>,
    /// What is given, done and expected.
    pub(crate) steps: Vec<Step>,
}

/// A step without its keyword.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// What it says.
    pub(crate) text: String,
    /// The table below it.
    pub(crate) table: Vec<Vec<String>>,
}

/// The scenarios of a feature.
pub(crate) fn cases(file: &str, text: &str) -> Vec<Case> {
    let mut reader = Reader::default();
    for (at, line) in text.lines().enumerate() {
        reader.line(line.trim()).unwrap_or_else(|why| panic!("{file}:{}: {why}", at + 1));
    }
    reader.finish();
    for case in &mut reader.cases {
        case.name = format!("{file}: {}", case.name);
    }
    reader.cases
}

#[derive(Default)]
struct Reader {
    cases: Vec<Case>,
    feature_tags: BTreeSet<String>,
    /// Tags that belong to what comes next.
    tags: BTreeSet<String>,
    background: Vec<Step>,
    scenario: Option<Scenario>,
    place: Place,
}

#[derive(Default, PartialEq)]
enum Place {
    /// Free text below the title of the feature.
    #[default]
    Feature,
    Background,
    Scenario,
    Examples,
}

struct Scenario {
    name: String,
    outline: bool,
    tags: BTreeSet<String>,
    steps: Vec<Step>,
    examples: Vec<Examples>,
}

struct Examples {
    tags: BTreeSet<String>,
    rows: Vec<Vec<String>>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.starts_with('@') {
            let tags = line.split_whitespace().take_while(|word| word.starts_with('@'));
            self.tags.extend(tags.map(|tag| tag.trim_start_matches('@').to_owned()));
            return Ok(());
        }
        if line.starts_with('|') {
            return self.row(line);
        }
        let (keyword, rest) = line.split_once(':').unwrap_or((line, ""));
        match keyword {
            "Feature" => self.feature_tags = std::mem::take(&mut self.tags),
            "Background" => self.place = Place::Background,
            "Scenario" | "Scenario Outline" => {
                self.finish();
                let tags = std::mem::take(&mut self.tags);
                let outline = keyword == "Scenario Outline";
                let name = rest.trim().to_owned();
                self.scenario =
                    Some(Scenario { name, outline, tags, steps: Vec::new(), examples: Vec::new() });
                self.place = Place::Scenario;
            }
            "Examples" => {
                let tags = std::mem::take(&mut self.tags);
                let scenario = self.scenario.as_mut().ok_or("examples of nothing")?;
                scenario.examples.push(Examples { tags, rows: Vec::new() });
                self.place = Place::Examples;
            }
            _ => return self.step(line),
        }
        Ok(())
    }

    fn step(&mut self, line: &str) -> Result<(), String> {
        if self.place == Place::Feature {
            return Ok(());
        }
        let keywords = ["Given ", "And ", "When ", "Then ", "But "];
        let text = keywords.iter().find_map(|keyword| line.strip_prefix(keyword));
        let step = Step {
            text: text.ok_or("neither a keyword nor a step")?.to_owned(),
            table: Vec::new(),
        };
        self.steps()?.push(step);
        Ok(())
    }

    fn steps(&mut self) -> Result<&mut Vec<Step>, String> {
        match (&self.place, &mut self.scenario) {
            (Place::Background, _) => Ok(&mut self.background),
            (_, Some(scenario)) => Ok(&mut scenario.steps),
            _ => Err("a step of nothing".to_owned()),
        }
    }

    fn row(&mut self, line: &str) -> Result<(), String> {
        let line = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
        let cells = line.ok_or("a row without an end")?.split('|');
        let cells: Vec<String> = cells.map(|cell| cell.trim().to_owned()).collect();
        if self.place != Place::Examples {
            let step = self.steps()?.last_mut().ok_or("a table of nothing")?;
            step.table.push(cells);
            return Ok(());
        }
        let examples = self.scenario.as_mut().and_then(|scenario| scenario.examples.last_mut());
        examples.ok_or("a row of nothing")?.rows.push(cells);
        Ok(())
    }

    /// Makes cases of the scenario that ends here.
    fn finish(&mut self) {
        let Some(scenario) = self.scenario.take() else { return };
        let mut case = |name: String, tags: &BTreeSet<String>, steps: Vec<Step>| {
            let tags = [&self.feature_tags, &scenario.tags, tags].into_iter().flatten().cloned();
            let steps = self.background.iter().cloned().chain(steps).collect();
            self.cases.push(Case { name, tags: tags.collect(), steps });
        };
        if !scenario.outline {
            case(scenario.name, &BTreeSet::new(), scenario.steps);
            return;
        }
        assert!(!scenario.examples.is_empty(), "`{}` has no examples", scenario.name);
        for examples in &scenario.examples {
            let Some((head, rows)) = examples.rows.split_first() else { continue };
            for row in rows {
                assert_eq!(row.len(), head.len(), "`{}`: {row:?}", scenario.name);
                let put = |text: &str| {
                    head.iter().zip(row).fold(text.to_owned(), |text, (name, value)| {
                        text.replace(&format!("<{name}>"), value)
                    })
                };
                let steps = scenario
                    .steps
                    .iter()
                    .map(|step| Step { text: put(&step.text), table: step.table.clone() });
                let name = format!("{} [{}]", scenario.name, row.join(", "));
                case(name, &examples.tags, steps.collect());
            }
        }
    }
}
