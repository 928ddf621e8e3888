//! Types as scripts write them, and what changing one into another costs.

/// What ALTER COLUMN … TYPE does to the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeChange {
    /// Nothing: it is the same type.
    Same,
    /// Only the catalogue is changed: every old value is a new one, bit for bit.
    Catalogue,
    /// The table is written anew.
    Rewrite {
        /// Whether values may not fit, which fails.
        fails: bool,
        /// Whether values may be cut or rounded without an error.
        loses: bool,
    },
    /// The type before is not known, so the worst is assumed.
    Unknown,
}

/// What it costs to change a type. `from` is what is known of it.
pub(crate) fn change(from: Option<&str>, to: &str) -> TypeChange {
    let Some(from) = from.map(Type::read) else { return TypeChange::Unknown };
    let to = Type::read(to);
    if from == to {
        return TypeChange::Same;
    }
    if from.array != to.array {
        return TypeChange::Rewrite { fails: true, loses: true };
    }
    if catalogue_only(&from, &to) {
        return TypeChange::Catalogue;
    }
    let (fails, loses) = hazards(&from, &to);
    TypeChange::Rewrite { fails, loses }
}

#[derive(Debug, PartialEq, Eq)]
struct Type {
    base: String,
    modifiers: Vec<i64>,
    array: bool,
}

impl Type {
    fn read(text: &str) -> Type {
        let lower = text.to_ascii_lowercase();
        let array = lower.contains('[') || lower.ends_with(" array");
        let lower = lower.split('[').next().unwrap_or_default();
        let (before, rest) = lower.split_once('(').unwrap_or((lower, ""));
        let (inside, after) = rest.split_once(')').unwrap_or((rest, ""));
        let modifiers = inside.split(',').filter_map(|part| part.trim().parse().ok()).collect();
        let words: Vec<&str> = before.split_whitespace().chain(after.split_whitespace()).collect();
        let words = words.join(" ");
        let words = words.strip_prefix("pg_catalog.").unwrap_or(&words).trim_matches('"');
        Type { base: canonical(words).to_owned(), modifiers, array }
    }

    fn modifier(&self, at: usize) -> Option<i64> {
        self.modifiers.get(at).copied()
    }

    /// Where it stands among whole numbers.
    fn integer(&self) -> Option<usize> {
        ["int2", "int4", "int8"].iter().position(|name| *name == self.base)
    }

    fn is_text(&self) -> bool {
        ["text", "varchar", "bpchar", "citext"].contains(&self.base.as_str())
    }
}

fn canonical(words: &str) -> &str {
    match words {
        "int" | "integer" | "serial" | "serial4" => "int4",
        "bigint" | "bigserial" | "serial8" => "int8",
        "smallint" | "smallserial" | "serial2" => "int2",
        "character varying" | "char varying" => "varchar",
        "char" | "character" => "bpchar",
        "decimal" | "dec" => "numeric",
        "real" => "float4",
        "double precision" | "float" => "float8",
        "boolean" => "bool",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        "bit varying" => "varbit",
        other => other,
    }
}

/// Whether a limit is lifted or kept; none is the widest.
fn widens(from: Option<i64>, to: Option<i64>) -> bool {
    match (from, to) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(from), Some(to)) => to >= from,
    }
}

/// The changes for which the server writes no row.
fn catalogue_only(from: &Type, to: &Type) -> bool {
    let grows = widens(from.modifier(0), to.modifier(0));
    match (from.base.as_str(), to.base.as_str()) {
        ("varchar" | "text", "varchar") => match from.base.as_str() {
            "text" => to.modifier(0).is_none(),
            _ => grows,
        },
        ("varchar", "text") | ("cidr", "inet") => true,
        ("numeric", "numeric") => {
            let scale = |t: &Type| t.modifier(1).unwrap_or(0);
            to.modifiers.is_empty()
                || (!from.modifiers.is_empty() && grows && scale(from) == scale(to))
        }
        (a, b) if a == b => {
            ["varbit", "timestamp", "timestamptz", "time", "timetz", "interval"].contains(&a)
                && grows
        }
        _ => false,
    }
}

/// Whether values may fail to fit, and whether they may be changed without an error.
fn hazards(from: &Type, to: &Type) -> (bool, bool) {
    if let (Some(from), Some(to)) = (from.integer(), to.integer()) {
        return (to < from, false);
    }
    let numeric = |t: &Type| t.integer().is_some() || t.base == "numeric";
    match (from.base.as_str(), to.base.as_str()) {
        // Whole numbers become decimals or text without loss.
        (_, "numeric") if from.integer().is_some() => (!to.modifiers.is_empty(), false),
        ("numeric", "numeric") => (true, true),
        ("timestamp", "timestamptz") | ("timestamptz", "timestamp") | ("json", "jsonb") => {
            (false, from.base == "json")
        }
        ("date", "timestamp" | "timestamptz") | ("float4", "float8") | (_, "text") => {
            (false, false)
        }
        (_, "varchar") if from.is_text() => (true, false),
        ("timestamp" | "timestamptz", "date" | "time") => (false, true),
        _ if numeric(from) && to.base.starts_with("float") => (false, true),
        _ => (true, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_costs() {
        use TypeChange::{Catalogue, Rewrite, Same, Unknown};
        let check = |from: &str, to: &str, expected: TypeChange| {
            assert_eq!(change(Some(from), to), expected, "{from} -> {to}");
        };
        let rewrite = |fails, loses| Rewrite { fails, loses };
        check("int", "INTEGER", Same);
        check("serial", "int4", Same);
        check("varchar(20)", "character varying (50)", Catalogue);
        check("varchar(20)", "varchar", Catalogue);
        check("varchar(20)", "text", Catalogue);
        check("text", "varchar", Catalogue);
        check("text", "varchar(10)", rewrite(true, false));
        check("varchar(50)", "varchar(20)", rewrite(true, false));
        check("numeric(10,2)", "numeric(12,2)", Catalogue);
        check("numeric(10,2)", "numeric", Catalogue);
        check("numeric(10,2)", "numeric(12,4)", rewrite(true, true));
        check("numeric", "numeric(10,2)", rewrite(true, true));
        check("cidr", "inet", Catalogue);
        check("int", "bigint", rewrite(false, false));
        check("bigint", "int", rewrite(true, false));
        check("int", "text", rewrite(false, false));
        check("text", "int", rewrite(true, true));
        check("timestamp(3)", "timestamp", Catalogue);
        check("timestamp", "timestamp with time zone", rewrite(false, false));
        check("timestamp", "date", rewrite(false, true));
        check("int[]", "int", rewrite(true, true));
        assert_eq!(change(None, "int"), Unknown);
    }
}
