//! The rules of the judge from a file of their own: the [judge] table of an environment, for
//! trying other rules without touching the configuration. A whole configuration will do as well.

use crate::config::file::{self, Config};
use crate::config::judge::Judge;
use crate::config::text::shown;
use crate::config::{problem, rollout};
use crate::failure::{Code, Failure};
use ripcord_core::analysis::JudgePolicy;
use serde::Deserialize;
use std::path::Path;

/// A file with nothing but rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    judge: Judge,
}

/// The rules of a file; those of an environment where it is a configuration.
pub(crate) fn judge_policy(path: &Path, environment: Option<&str>) -> Result<JudgePolicy, Failure> {
    let name = shown(&path.display().to_string());
    let text = file::read(path, &name)?;
    let table: toml::Table =
        toml::from_str(&text).map_err(|error| problem::syntax(&name, &text, &error))?;
    if table.contains_key("environments") {
        return Ok(Config::load(path)?.environment(environment)?.policy.judge);
    }
    if !table.contains_key("judge") {
        let what = format!("{name} has no [judge] table");
        return Err(Failure::new(Code::ConfigMissingKey, what)
            .hint("begin it with [judge]; all keys may be left out"));
    }
    let rules: Rules =
        toml::from_str(&text).map_err(|error| problem::shape(&name, &text, &error))?;
    Ok(rollout::rules(&rules.judge, &JudgePolicy::default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: &Expect) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.toml");
        std::fs::write(&path, text).unwrap();
        let said = match judge_policy(&path, None) {
            Ok(policy) => format!(
                "{} ppm, {} thousandths, errors {}, latency {}, {:?}",
                policy.alpha_ppm,
                policy.tolerated_ratio_thousandths,
                policy.errors,
                policy.latency,
                policy.thresholds.map(|limits| limits.max_error_rate_ppm)
            ),
            Err(failure) => failure.to_string(),
        };
        expected.assert_eq(&said.replace(&directory.path().display().to_string(), "DIR"));
    }

    #[test]
    fn rules_of_a_file() {
        check(
            "[judge]\n",
            &expect!["10000 ppm, 1250 thousandths, errors true, latency true, None"],
        );
        check(
            "[judge]\nalpha = \"2%\"\ntolerated_ratio = 1.5\nmetrics = [\"errors\"]\nmax_error_rate = \"3%\"\n",
            &expect!["20000 ppm, 1500 thousandths, errors true, latency false, Some(Some(30000))"],
        );
        check(
            "[judge]\nalfa = \"2%\"\n",
            &expect![[r#"
            error[RC0005]: unknown key `alfa`
              --> DIR/policy.toml:2:1
               |
             2 | alfa = "2%"
               | ^^^^
            hint: did you mean `alpha`?"#]],
        );
        check(
            "alpha = \"2%\"\n",
            &expect![[r"
            error[RC0006]: DIR/policy.toml has no [judge] table
            hint: begin it with [judge]; all keys may be left out"]],
        );
        check(
            "[judge\n",
            &expect![[r"
            error[RC0004]: unclosed table, expected `]`
              --> DIR/policy.toml:1:7
               |
             1 | [judge
               |       ^"]],
        );
    }
}
