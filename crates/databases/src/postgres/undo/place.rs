//! Where a kept piece belongs: its table and columns as they are called in the schema of now, or
//! in the one to arrive at.

use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::inverse::{converted, converts};
use crate::postgres::kind::Kind;
use crate::postgres::own::{Delta, KeptColumn};

/// A schema, and how its names relate to those under which things were kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    /// The schema.
    pub(crate) catalogue: &'a Catalogue,
    /// What the run changed.
    pub(crate) delta: &'a Delta,
    /// Whether the schema has the names from before the run.
    pub(crate) before: bool,
}

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
    /// The table that was kept under this name, if there is one here.
    pub(super) fn place(self, kept: &'a str) -> Option<Place<'a>> {
        let table = self.name(kept, |kind| matches!(kind, Kind::Table | Kind::ForeignTable));
        let there = self.catalogue.get(Kind::Table, &table).is_some();
        there.then_some(Place { table, kept, side: self })
    }

    /// The name of that table, if there is one here.
    pub(crate) fn table(self, kept: &'a str) -> Option<String> {
        self.place(kept).map(|place| place.table)
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
    /// The column of this name at the time of keeping, unless it computes its values.
    pub(super) fn spot(&self, kept: &KeptColumn) -> Option<Spot<'a>> {
        let full = format!("{}.{}", self.kept, kept.name);
        let mut name = self.side.name(&full, |kind| kind == Kind::Column);
        if name == full {
            name = format!("{}.{}", self.table, kept.name);
        }
        self.stored().find(|(column, _)| column.name == name).map(|(_, spot)| spot)
    }

    /// Whether the column is there without the run as well.
    pub(super) fn stays(&self, kept: &KeptColumn) -> bool {
        let full = format!("{}.{}", self.table, kept.name);
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
        let full = format!("{}.{}", self.table, kept.name);
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

/// The condition under which the key of a row of `t` is the key kept with a row of `k`.
pub(super) fn finds(place: &Place<'_>, key: &[KeptColumn]) -> Option<String> {
    let equal = |(at, column): (usize, &KeptColumn)| {
        let spot = place.spot(column)?;
        Some(if column.as_text {
            format!("t.{}::text = k.k{at}", spot.name)
        } else {
            format!("t.{} = {}", spot.name, value(&format!("k.k{at}"), column, spot))
        })
    };
    let list: Option<Vec<String>> = key.iter().enumerate().map(equal).collect();
    list.filter(|list| !list.is_empty()).map(|list| list.join(" AND "))
}
