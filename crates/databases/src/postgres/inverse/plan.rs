//! What has to be dropped, changed in place and made, before anything is put in order: the
//! difference itself, and whatever stands in its way.

use super::Left;
use super::alter::{self, Possible};
use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::kind::Kind;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Action {
    /// It goes.
    Drop,
    /// It is changed where it stands.
    Alter,
    /// It is made.
    Create,
    /// It joins what it is a partition of.
    Attach,
}

/// Everything that has to be done.
pub(super) struct Plan<'a> {
    /// The schema to arrive at.
    pub(super) before: &'a Catalogue,
    /// The schema that is.
    pub(super) after: &'a Catalogue,
    pub(super) drops: BTreeSet<&'a Name>,
    pub(super) alters: BTreeSet<&'a Name>,
    pub(super) creates: BTreeSet<&'a Name>,
    pub(super) left: Vec<Left>,
    /// What hangs on a relation or type of this name, in the schema to arrive at.
    pub(super) parts: HashMap<&'a str, Vec<&'a Name>>,
    /// The roles that get something on every new object, as things are.
    pub(super) strangers: BTreeSet<String>,
    /// What stays although it differs.
    kept: BTreeSet<&'a Name>,
    /// What is made anew although it holds data, which is set aside meanwhile.
    rebuilt: BTreeSet<&'a Name>,
    /// All of it happens in one transaction, in which a label that was just added could not be
    /// used.
    pub(super) whole: bool,
    /// The tables whose columns will stand in another order, or be a parent's no more: only a new
    /// table is as it was.
    pub(super) reordered: BTreeSet<Name>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        before: &'a Catalogue,
        after: &'a Catalogue,
        rebuilt: &BTreeSet<Name>,
        whole: bool,
    ) -> Plan<'a> {
        let mut parts: HashMap<&str, Vec<&Name>> = HashMap::new();
        for (name, object) in &before.objects {
            if let Some(of) = object.of.as_deref() {
                parts.entry(of).or_default().push(name);
            }
        }
        let mut plan = Plan {
            before,
            after,
            drops: BTreeSet::new(),
            alters: BTreeSet::new(),
            creates: BTreeSet::new(),
            left: Vec::new(),
            parts,
            strangers: super::privileges::granted_at_creation(after),
            kept: BTreeSet::new(),
            rebuilt: BTreeSet::new(),
            whole,
            reordered: BTreeSet::new(),
        };
        plan.classify();
        plan.rebuild(rebuilt);
        plan.clear_the_way();
        plan.name_what_is_left();
        plan
    }

    /// An object as it was.
    pub(super) fn old(&self, name: &Name) -> Option<&'a Object> {
        self.before.objects.get(name)
    }

    /// An object as it is.
    pub(super) fn new_one(&self, name: &Name) -> Option<&'a Object> {
        self.after.objects.get(name)
    }

    /// The relation that an object hangs on, in the schema given.
    pub(super) fn whole(catalogue: &'a Catalogue, object: &Object) -> Option<&'a Name> {
        const WHOLES: [Kind; 6] = [
            Kind::Table,
            Kind::ForeignTable,
            Kind::View,
            Kind::MaterializedView,
            Kind::CompositeType,
            Kind::Domain,
        ];
        let of = object.of.as_deref()?;
        WHOLES.iter().find_map(|kind| {
            let name = Name { kind: *kind, name: of.to_owned() };
            catalogue.objects.get_key_value(&name).map(|(name, _)| name)
        })
    }

    /// What has to join something that it is a partition of.
    pub(super) fn attaching(&self) -> impl Iterator<Item = &'a Name> {
        self.creates.iter().chain(&self.alters).copied().filter(|name| self.attaches(name))
    }

    /// Whether this does: it is new, or stands apart, or joined with other bounds.
    pub(super) fn attaches(&self, name: &Name) -> bool {
        let Some(old) = self.old(name).filter(|old| old.text("partition_of").is_some()) else {
            return false;
        };
        let apart = |new: &Object| {
            ["partition_of", "bound"]
                .iter()
                .any(|fact| old.facts.get(*fact) != new.facts.get(*fact))
        };
        self.creates.contains(name)
            || self.alters.contains(name) && self.new_one(name).is_some_and(apart)
    }

    fn classify(&mut self) {
        for (name, object) in &self.before.objects {
            let Some(found) = self.new_one(name) else {
                self.creates.insert(name);
                continue;
            };
            let changed: BTreeSet<&str> = object
                .facts
                .keys()
                .chain(found.facts.keys())
                .filter(|fact| object.facts.get(*fact) != found.facts.get(*fact))
                .map(String::as_str)
                .filter(|fact| *fact != "position")
                .collect();
            if changed.is_empty() {
                continue;
            }
            self.classify_changed(name, object, found, &changed);
        }
        for name in self.after.objects.keys() {
            if self.old(name).is_none() {
                self.drops.insert(name);
            }
        }
    }

    fn classify_changed(
        &mut self,
        name: &'a Name,
        old: &Object,
        new: &Object,
        changed: &BTreeSet<&str>,
    ) {
        if name.kind == Kind::Sequence && changed.contains("identity") {
            // Whether it is an identity's own cannot be changed, and where it stands is all it holds.
            let why = "it comes back at its start".to_owned();
            self.left.push(Left { what: name.to_string(), why });
            return self.anew(name);
        }
        let table = Plan::whole(self.before, old).and_then(|table| self.old(table));
        let partition = table.is_some_and(|table| table.facts.contains_key("partition_of"));
        if name.kind == Kind::Column && changed.contains("inherited") && !partition {
            let why = "whether a column is inherited only is remembered from when it was made";
            let table = old.of.clone().unwrap_or_default();
            self.reordered.insert(Name { kind: Kind::Table, name: table });
            return self.keep(name, why);
        }
        let leaves = changed.contains("partition_of") && new.facts.contains_key("partition_of");
        let moves = table.is_some_and(|_| {
            Plan::whole(self.after, new).and_then(|name| self.new_one(name)).is_some_and(|now| {
                now.facts.get("partition_of") != table.and_then(|old| old.facts.get("partition_of"))
            })
        });
        if leaves && !moves && matches!(name.kind, Kind::Index | Kind::Constraint) {
            return self
                .keep(name, "an index leaves the one that it is part of only with its table");
        }
        match alter::possible(name.kind, changed, old, new) {
            Possible::InPlace => {
                self.alters.insert(name);
            }
            Possible::AnewOnly if !self.holds_data(name) => self.anew(name),
            Possible::AnewOnly => self.keep(name, &facts_in_words(changed)),
            Possible::Not(why) => self.keep(name, why),
        }
    }

    /// Tables are made anew with everything that is part of them. Their sequences start anew as
    /// well, and are set to where they stood along with the rows.
    fn rebuild(&mut self, rebuilt: &BTreeSet<Name>) {
        for (name, object) in &self.before.objects {
            let of = object.of.as_deref().unwrap_or_default();
            let part = match name.kind {
                Kind::Sequence => rebuilt.iter().any(|table| {
                    of.strip_prefix(table.name.as_str()).is_some_and(|rest| rest.starts_with('.'))
                }),
                _ => rebuilt.iter().any(|table| table.name == of),
            };
            if self.new_one(name).is_some() && (part || rebuilt.contains(name)) {
                self.anew(name);
                self.rebuilt.insert(name);
                if self.kept.remove(name) {
                    self.left.retain(|left| left.what != name.to_string());
                }
            }
        }
    }

    /// Drops and makes again.
    fn anew(&mut self, name: &'a Name) {
        self.alters.remove(name);
        self.drops.insert(name);
        self.creates.insert(name);
    }

    /// Leaves as it is, and says why.
    fn keep(&mut self, name: &'a Name, why: &str) {
        for set in [&mut self.drops, &mut self.alters, &mut self.creates] {
            set.remove(name);
        }
        if self.kept.insert(name) {
            self.left.push(Left { what: name.to_string(), why: why.to_owned() });
        }
    }

    /// Whether the object holds, as it is now, what no definition brings back.
    pub(super) fn holds_data(&self, name: &Name) -> bool {
        match name.kind {
            Kind::Attribute => true,
            Kind::Column => {
                let whole = self.new_one(name).and_then(|object| Plan::whole(self.after, object));
                whole.is_some_and(|whole| whole.kind == Kind::Table)
            }
            kind => kind.holds_data(),
        }
    }

    /// Whether the change of this object needs everything out of the way that uses it.
    pub(super) fn disturbs(&self, name: &Name) -> bool {
        let (Some(old), Some(new)) = (self.old(name), self.new_one(name)) else { return false };
        let differs = |fact: &str| old.facts.get(fact) != new.facts.get(fact);
        if name.kind == Kind::Column && self.converted_with(name).is_some() {
            return true;
        }
        self.alters.contains(name)
            && match name.kind {
                Kind::Column | Kind::Attribute => differs("type") || differs("collation"),
                Kind::Enum => {
                    differs("labels") && (self.whole || !alter::only_adds_labels(old, new))
                }
                Kind::Range => differs("definition"),
                _ => false,
            }
    }

    /// The type that takes the place of another of its name, and converts this column.
    pub(super) fn converted_with(&self, column: &Name) -> Option<&'a Name> {
        let new = self.new_one(column).filter(|_| column.kind == Kind::Column)?;
        let kinds =
            new.requires.iter().filter(|need| matches!(need.kind, Kind::Enum | Kind::Range));
        kinds.into_iter().find(|need| self.disturbs(need))
    }

    /// Recreates whatever uses something that goes or is disturbed, until nothing does; where that
    /// would destroy data, the thing that it uses stays as it is.
    fn clear_the_way(&mut self) {
        loop {
            let mut steps: Vec<(&'a Name, &'a Name)> = Vec::new();
            for (name, object) in &self.after.objects {
                if self.drops.contains(name) {
                    continue;
                }
                if let Some(need) =
                    object.requires.iter().find(|need| self.is_in_the_way(name, need))
                {
                    steps.push((name, need));
                }
            }
            if steps.is_empty() {
                return;
            }
            for (name, need) in steps {
                if self.holds_data(name) || self.kept.contains(name) {
                    self.keep(need, &format!("{name} uses it, and stays"));
                } else if self.old(name).is_some() {
                    self.anew(name);
                } else {
                    self.drops.insert(name);
                }
            }
        }
    }

    /// Whether what is to become of `need` is impossible while `name` uses it.
    fn is_in_the_way(&self, name: &Name, need: &Name) -> bool {
        let needed_before = self.old(name).is_some_and(|old| old.requires.contains(need));
        if self.drops.contains(need) {
            // Changing it in place frees it first.
            return needed_before || !self.alters.contains(name);
        }
        if !self.disturbs(need) {
            return false;
        }
        // The values of columns are converted along with their type; a sequence has none of it.
        let converted = matches!(need.kind, Kind::Enum | Kind::Range) && name.kind == Kind::Column;
        !converted && name.kind != Kind::Sequence
    }

    fn name_what_is_left(&mut self) {
        for name in self.creates.difference(&self.rebuilt) {
            let Some(object) = self.old(name) else { continue };
            let whole = Plan::whole(self.before, object);
            let why = match name.kind {
                Kind::Table if !object.facts.contains_key("partition_key") => {
                    "it comes back without its rows"
                }
                Kind::Column
                    if !self.comes_with_parent(name, object)
                        && whole.is_some_and(|whole| {
                            whole.kind == Kind::Table && !self.creates.contains(whole)
                        })
                        && !object.facts.contains_key("generated") =>
                {
                    "it comes back without its values"
                }
                Kind::Sequence if !object.flag("identity") => "it comes back at its start",
                Kind::BaseType => "a base type is made by its functions in C, not by a definition",
                Kind::UserMapping => "the values of its options are never read",
                Kind::Subscription => "its connection string is never read",
                Kind::Index
                    if object.flag("invalid")
                        && !object.word("definition").contains(" ON ONLY ") =>
                {
                    "it comes back valid"
                }
                _ => continue,
            };
            self.left.push(Left { what: name.to_string(), why: why.to_owned() });
        }
        for name in [Kind::BaseType, Kind::UserMapping, Kind::Subscription] {
            self.creates.retain(|created| created.kind != name);
        }
        self.name_orders();
    }

    /// Whether a column comes back because the parent's does, which is named already.
    fn comes_with_parent(&self, name: &Name, column: &Object) -> bool {
        let parents = super::order::ancestors(self.before, name, column);
        parents.iter().any(|parent| self.creates.contains(parent))
    }

    /// Columns that come back stand last, which may not be where they stood.
    fn name_orders(&mut self) {
        let order = |catalogue: &'a Catalogue| {
            let mut order: BTreeMap<&'a str, Vec<(i64, &'a str)>> = BTreeMap::new();
            for (name, object) in catalogue.objects.iter().filter(|(name, _)| name.kind.is_part()) {
                if let Some(of) = object.of.as_deref() {
                    let position = object.number("position").unwrap_or(0);
                    order.entry(of).or_default().push((position, name.name.as_str()));
                }
            }
            for list in order.values_mut() {
                list.sort_unstable();
            }
            order
        };
        let (old, new) = (order(self.before), order(self.after));
        for (of, columns) in old {
            let Some(found) = new.get(of) else { continue };
            let part = columns.iter().map(|(_, name)| *name);
            let made_anew = self.creates.iter().any(|name| {
                name.name == of
                    && matches!(
                        name.kind,
                        Kind::View
                            | Kind::MaterializedView
                            | Kind::Table
                            | Kind::ForeignTable
                            | Kind::CompositeType
                    )
            });
            let is = |set: &BTreeSet<&Name>, wanted: &str| {
                [Kind::Column, Kind::Attribute]
                    .iter()
                    .any(|kind| set.contains(&Name { kind: *kind, name: wanted.to_owned() }))
            };
            let stay = found.iter().map(|(_, name)| *name).filter(|name| !is(&self.drops, name));
            let come = part.clone().filter(|name| is(&self.creates, name));
            let result: Vec<&str> = stay.chain(come).collect();
            if !made_anew && !result.iter().copied().eq(part.clone()) {
                let local = |name: &str| {
                    name.strip_prefix(of).unwrap_or(name).trim_start_matches('.').to_owned()
                };
                let list = |names: &mut dyn Iterator<Item = &str>| {
                    names.map(local).collect::<Vec<_>>().join(", ")
                };
                let why = format!(
                    "it was {} and becomes {}; only a new table has another order",
                    list(&mut part.clone()),
                    list(&mut result.iter().copied())
                );
                let table = Name { kind: Kind::Table, name: of.to_owned() };
                if self.old(&table).is_some() {
                    self.reordered.insert(table);
                }
                self.left.push(Left {
                    what: format!(
                        "order of columns of {}",
                        of.strip_prefix("public.").unwrap_or(of)
                    ),
                    why,
                });
            }
        }
    }
}

fn facts_in_words(changed: &BTreeSet<&str>) -> String {
    let list: Vec<String> = changed.iter().map(|fact| fact.replace('_', " ")).collect();
    format!("its {} cannot be changed without making it anew", list.join(", "))
}
