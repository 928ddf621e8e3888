//! Where a kept piece belongs: its table and columns as they are called in the schema of now, or
//! in the one to arrive at.

use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::inverse::{converted, converts};
use crate::postgres::kind::Kind;
use crate::postgres::own::{AS_AFTER, Delta, Kept, KeptColumn};
use crate::postgres::snapshot::Identities;

/// A schema, and how its names relate to those under which things were kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    /// The schema.
    pub(crate) catalogue: &'a Catalogue,
    /// What the run changed.
    pub(crate) delta: &'a Delta,
    /// Whether the schema has the names from before the run.
    pub(crate) before: bool,
    /// Which number meant what when the way began; empty where numbers cannot be trusted.
    pub(crate) numbers: &'a Identities,
}

/// What a number that was noted with something kept leads to.
enum Known {
    /// To this name.
    Name(String),
    /// To nothing that is here.
    Nothing,
    /// It says nothing; the name has to do.
    Unsaid,
}

/// The server's catalogue of tables, by its number.
pub(crate) const PG_CLASS: u32 = 1259;

/// A table in a schema.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    /// Its name.
    pub(super) table: String,
    /// The name it was kept under.
    kept: &'a str,
    side: Side<'a>,
}

/// A column in a schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    /// Its name, quoted where SQL needs it.
    pub(super) name: &'a str,
    /// Its type.
    pub(super) kind: &'a str,
    /// Whether the server alone gives it values, unless told otherwise.
    pub(super) always: bool,
}

impl<'a> Side<'a> {
    /// The table that was kept under this name, if there is one here. Its columns know its number.
    pub(super) fn place(self, kept: &'a str, columns: &[KeptColumn]) -> Option<Place<'a>> {
        let first = columns.first();
        let table = match self.known(first.map_or(0, |column| column.table), 0) {
            Known::Name(name) => name,
            Known::Nothing => return None,
            Known::Unsaid if first.is_some_and(|it| it.table == 0 && it.number == AS_AFTER) => {
                kept.to_owned()
            }
            Known::Unsaid => {
                self.name(kept, |kind| matches!(kind, Kind::Table | Kind::ForeignTable))
            }
        };
        self.there(Place { table, kept, side: self })
    }

    /// The table that is called so here.
    pub(super) fn here(self, table: &'a str) -> Option<Place<'a>> {
        self.there(Place { table: table.to_owned(), kept: table, side: self })
    }

    fn there(self, place: Place<'a>) -> Option<Place<'a>> {
        self.catalogue.get(Kind::Table, &place.table).is_some().then_some(place)
    }

    /// The name of the table that something was kept from, if there is one here.
    pub(crate) fn table(self, kept: &'a Kept) -> Option<String> {
        self.place(&kept.relation, kept.item.columns()).map(|place| place.table)
    }

    /// What a table, or a column of it, is called here by its number.
    fn known(self, table: u32, column: i32) -> Known {
        if table == 0 || column < 0 || self.numbers.objects.is_empty() {
            return Known::Unsaid;
        }
        let mut gone = self.delta.gone.iter();
        if let Some(one) = gone.find(|one| one.table == table && one.column == column) {
            return if self.before { Known::Name(one.name.name.clone()) } else { Known::Nothing };
        }
        let Some(now) = self.numbers.objects.get(&(PG_CLASS, table, column)) else {
            return Known::Unsaid;
        };
        if !self.before {
            return Known::Name(now.name.clone());
        }
        if let Some(renamed) = self.delta.renamed.iter().find(|one| one.to == *now) {
            return Known::Name(renamed.from.name.clone());
        }
        if self.delta.adds(now) { Known::Nothing } else { Known::Name(now.name.clone()) }
    }

    /// The name of a sequence that was kept under this one.
    pub(crate) fn sequence(self, kept: &str) -> String {
        self.name(kept, |kind| kind == Kind::Sequence)
    }

    /// The name that something has here which was kept under another.
    fn name(self, kept: &str, is: impl Fn(Kind) -> bool) -> String {
        let mut renamed = self.delta.renamed.iter().filter(|one| is(one.from.kind));
        let known = |name: &Name| self.catalogue.objects.contains_key(name);
        let found = if self.before {
            renamed.find(|one| one.to.name == kept && known(&one.from)).map(|one| &one.from)
        } else {
            renamed.find(|one| one.from.name == kept && known(&one.to)).map(|one| &one.to)
        };
        found.map_or_else(|| kept.to_owned(), |name| name.name.clone())
    }
}

impl<'a> Place<'a> {
    /// The column that was kept, unless it computes its values.
    pub(super) fn spot(&self, kept: &KeptColumn) -> Option<Spot<'a>> {
        let name = self.name(kept)?;
        self.stored().find(|(column, _)| column.name == name).map(|(_, spot)| spot)
    }

    /// What a column that was kept is called here, in full.
    fn name(&self, kept: &KeptColumn) -> Option<String> {
        match self.side.known(kept.table, kept.number) {
            Known::Name(name) => return Some(name),
            Known::Nothing => return None,
            Known::Unsaid if kept.number == AS_AFTER => {
                return Some(format!("{}.{}", self.table, kept.name));
            }
            Known::Unsaid => {}
        }
        let full = format!("{}.{}", self.kept, kept.name);
        let name = self.side.name(&full, |kind| kind == Kind::Column);
        Some(if name == full { format!("{}.{}", self.table, kept.name) } else { name })
    }

    /// Whether the column was there when the way began.
    pub(super) fn was_there(&self, kept: &KeptColumn) -> bool {
        self.side.numbers.objects.contains_key(&(PG_CLASS, kept.table, kept.number))
    }

    /// Whether the run dropped the column, so that what it holds now is only its default.
    pub(super) fn came_back(&self, kept: &KeptColumn) -> bool {
        let mut gone = self.side.delta.gone.iter();
        self.side.before && gone.any(|one| one.table == kept.table && one.column == kept.number)
    }

    /// Whether the column is there without the run as well.
    pub(super) fn stays(&self, kept: &KeptColumn) -> bool {
        let Some(full) = self.name(kept) else { return false };
        let mut objects = self.side.delta.objects.iter();
        !objects.any(|one| {
            one.name.kind == Kind::Column && one.name.name == full && one.before.is_none()
        })
    }

    /// Whether a value was kept in a type that cannot be read as the one it is to become.
    pub(super) fn is_strange(&self, kept: &KeptColumn, spot: Spot<'_>) -> bool {
        self.changed_type(kept)
            && kept.type_name != spot.kind
            && !converts(&kept.type_name, spot.kind)
    }

    /// Whether the run gave the column another type.
    pub(super) fn changed_type(&self, kept: &KeptColumn) -> bool {
        let full = self.name(kept).unwrap_or_default();
        let other = |one: &crate::postgres::own::Differing| {
            let kind = |object: &Option<Object>| {
                object.as_ref().map(|object| object.word("type").to_owned())
            };
            let (before, after) = (kind(&one.before), kind(&one.after));
            one.name.kind == Kind::Column
                && one.name.name == full
                && before.is_some()
                && after.is_some()
                && before != after
        };
        self.side.delta.objects.iter().any(other)
    }

    /// All columns that hold values, by name.
    pub(super) fn stored(&self) -> impl Iterator<Item = (&'a Name, Spot<'a>)> {
        let catalogue = self.side.catalogue;
        let of = self.table.clone();
        let own = move |(name, object): &(&'a Name, &'a Object)| {
            name.kind == Kind::Column
                && object.of.as_deref() == Some(of.as_str())
                && !object.facts.contains_key("generated")
        };
        let spot = |(name, object): (&'a Name, &'a Object)| {
            let spot = Spot {
                name: &object.local,
                kind: object.word("type"),
                always: object.text("identity") == Some("always"),
            };
            (name, spot)
        };
        catalogue.objects.iter().filter(own).map(spot)
    }
}

/// A stored value as a value of the column that it goes to.
pub(super) fn value(stored: &str, column: &KeptColumn, spot: Spot<'_>) -> String {
    if column.as_text {
        format!("{stored}::{}", spot.kind)
    } else if column.type_name == spot.kind {
        stored.to_owned()
    } else {
        converted(stored, &column.type_name, spot.kind)
    }
}

/// Whether the server compares values of two types as they are.
fn alike(one: &str, other: &str) -> bool {
    let numbers = ["smallint", "integer", "bigint", "numeric"];
    let texts = ["text", "character varying"];
    let base = |name: &str| name.split('(').next().unwrap_or_default().to_owned();
    let (one, other) = (base(one), base(other));
    [&numbers[..], &texts[..]]
        .iter()
        .any(|family| family.contains(&one.as_str()) && family.contains(&other.as_str()))
}

/// The condition under which the key of a row of `t` is the key kept with a row of `k`.
pub(super) fn finds(place: &Place<'_>, key: &[KeptColumn]) -> Option<String> {
    let equal = |(at, column): (usize, &KeptColumn)| {
        let spot = place.spot(column)?;
        Some(if column.as_text {
            format!("t.{}::text = k.k{at}", spot.name)
        } else if alike(&column.type_name, spot.kind) {
            // One may hold what the other cannot.
            format!("t.{} = k.k{at}", spot.name)
        } else {
            format!("t.{} = {}", spot.name, value(&format!("k.k{at}"), column, spot))
        })
    };
    let list: Option<Vec<String>> = key.iter().enumerate().map(equal).collect();
    list.filter(|list| !list.is_empty()).map(|list| list.join(" AND "))
}
