//! The order in which the server accepts statements: what uses something goes before it and comes
//! after it. Where a circle leaves no such order, the kinds decide.

use super::plan::{Action, Plan};
use crate::postgres::catalogue::{Catalogue, Name, Object};
use crate::postgres::kind::Kind;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One thing to be done.
pub(super) type Node<'a> = (Action, &'a Name);

/// One thing to be done, with what belongs to it.
pub(super) struct Ordered<'a> {
    pub(super) node: Node<'a>,
    /// What comes or goes along with it.
    pub(super) along: Vec<&'a Name>,
    /// Whether it, or something that it waits for, is done only when the rows are back.
    pub(super) late: bool,
}

/// All that is to be done, in order.
pub(super) fn sorted<'a>(plan: &Plan<'a>) -> Vec<Ordered<'a>> {
    let mut graph = Graph { plan, after: BTreeMap::new() };
    for name in &plan.drops {
        graph.add(graph.node(Action::Drop, name));
    }
    for name in &plan.alters {
        graph.add((Action::Alter, name));
    }
    for name in &plan.creates {
        graph.add(graph.node(Action::Create, name));
    }
    graph.drops();
    graph.alters();
    graph.creates();
    graph.names();
    graph.attachments();
    graph.columns();
    let mut along: HashMap<Node<'a>, Vec<&'a Name>> = HashMap::new();
    for (action, set) in [(Action::Drop, &plan.drops), (Action::Create, &plan.creates)] {
        for name in set {
            let node = graph.node(action, name);
            if node.1 != *name {
                along.entry(node).or_default().push(name);
            }
        }
    }
    let firsts = graph.after.clone();
    let mut waiting: BTreeSet<Node<'a>> = BTreeSet::new();
    let with = |node: Node<'a>| {
        let made = matches!(node.0, Action::Create | Action::Attach);
        let late = made && (node.0 == Action::Attach || super::waits_for_rows(node.1.kind))
            || firsts.get(&node).is_some_and(|firsts| firsts.iter().any(|it| waiting.contains(it)));
        if late {
            waiting.insert(node);
        }
        Ordered { node, along: along.remove(&node).unwrap_or_default(), late }
    };
    graph.sort().into_iter().map(with).collect()
}

/// Which node waits for which.
struct Graph<'p, 'a> {
    plan: &'p Plan<'a>,
    /// Each node with those that come before it.
    after: BTreeMap<Node<'a>, BTreeSet<Node<'a>>>,
}

impl<'a> Graph<'_, 'a> {
    fn add(&mut self, node: Node<'a>) {
        self.after.entry(node).or_default();
    }

    /// Puts one node before another.
    fn edge(&mut self, first: Node<'a>, second: Node<'a>) {
        if first != second {
            self.add(first);
            self.after.entry(second).or_default().insert(first);
        }
    }

    /// The node that does this: the object's own, or that of what it comes and goes with.
    fn node(&self, action: Action, name: &'a Name) -> Node<'a> {
        match action {
            Action::Drop => {
                (action, owner(self.plan, self.plan.after, &self.plan.drops, name, true))
            }
            Action::Create => {
                (action, owner(self.plan, self.plan.before, &self.plan.creates, name, false))
            }
            Action::Alter | Action::Attach => (action, name),
        }
    }

    fn drops(&mut self) {
        let plan = self.plan;
        for name in &plan.drops {
            let node = self.node(Action::Drop, name);
            let inherits = plan.new_one(name).is_some_and(|object| object.flag("inherited"));
            for need in needs(plan.after, name) {
                if let Some(kind) = plan.converted_with(need) {
                    self.edge(node, (Action::Alter, kind));
                }
                if plan.drops.contains(need) {
                    self.edge(node, self.node(Action::Drop, need));
                }
                if plan.alters.contains(need) && inherits && node.1 == *name {
                    // It can be dropped only when the table has left its parent.
                    self.edge((Action::Alter, need), node);
                } else if plan.alters.contains(need) {
                    self.edge(node, (Action::Alter, need));
                }
            }
        }
    }

    fn alters(&mut self) {
        let plan = self.plan;
        for name in &plan.alters {
            let node = (Action::Alter, *name);
            let old = needs(plan.before, name);
            for need in &old {
                if plan.creates.contains(need) {
                    self.edge(self.node(Action::Create, need), node);
                }
                if plan.alters.contains(need) {
                    self.edge((Action::Alter, need), node);
                }
            }
            for need in needs(plan.after, name) {
                // A sequence was freed beforehand.
                let freed = name.kind == Kind::Sequence && need.kind == Kind::Column;
                if plan.drops.contains(need) && !old.contains(&need) && !freed {
                    self.edge(node, self.node(Action::Drop, need));
                }
                if plan.disturbs(need) && !old.contains(&need) {
                    self.edge(node, (Action::Alter, need));
                }
            }
        }
    }

    fn creates(&mut self) {
        let plan = self.plan;
        for name in &plan.creates {
            let node = self.node(Action::Create, name);
            for need in needs(plan.before, name) {
                if let Some(kind) = plan.converted_with(need) {
                    self.edge((Action::Alter, kind), node);
                }
                if plan.creates.contains(need) {
                    self.edge(self.node(Action::Create, need), node);
                }
                if plan.alters.contains(need) {
                    self.edge((Action::Alter, need), node);
                }
            }
        }
    }

    /// Columns are added in the order in which they stood.
    fn columns(&mut self) {
        let plan = self.plan;
        let mut added: BTreeMap<&'a str, Vec<(i64, Node<'a>)>> = BTreeMap::new();
        for name in plan.creates.iter().filter(|name| name.kind.is_part()) {
            let node = self.node(Action::Create, name);
            if let Some(object) = plan.old(name).filter(|_| node.1 == *name) {
                let of = object.of.as_deref().unwrap_or_default();
                added.entry(of).or_default().push((object.number("position").unwrap_or(0), node));
            }
        }
        for list in added.values_mut() {
            list.sort_unstable();
            for pair in list.windows(2) {
                self.edge(pair[0].1, pair[1].1);
            }
        }
    }

    /// What takes a name comes after what had it.
    fn names(&mut self) {
        let plan = self.plan;
        let mut taken: HashMap<(String, String), Vec<Node<'a>>> = HashMap::new();
        for name in &plan.drops {
            for key in claims(plan.after, name) {
                taken.entry(key).or_default().push(self.node(Action::Drop, name));
            }
        }
        for name in &plan.creates {
            let node = self.node(Action::Create, name);
            for key in claims(plan.before, name) {
                for holder in taken.get(&key).cloned().unwrap_or_default() {
                    self.edge(holder, node);
                }
            }
        }
    }

    /// Partitions join when their own columns, indexes and constraints stand, and before those of
    /// the parent that would have to be there already; their indexes join after them.
    fn attachments(&mut self) {
        let plan = self.plan;
        for name in plan.attaching() {
            let Some(object) = plan.old(name) else { continue };
            let node = (Action::Attach, name);
            if plan.alters.contains(name) {
                self.edge((Action::Alter, name), node);
            } else {
                self.edge(self.node(Action::Create, name), node);
            }
            if matches!(name.kind, Kind::Table | Kind::ForeignTable) {
                self.partition(name, object);
                continue;
            }
            let table = Plan::whole(plan.before, object).filter(|table| plan.attaches(table));
            if let Some(table) = table {
                self.edge((Action::Attach, table), node);
            }
            for need in plan.creates.iter().filter(|need| object.requires.contains(**need)) {
                self.edge(self.node(Action::Create, need), node);
            }
        }
    }

    fn partition(&mut self, name: &'a Name, object: &'a Object) {
        let plan = self.plan;
        let node = (Action::Attach, name);
        let parts = |of: &str| plan.parts.get(of).into_iter().flatten().copied();
        for part in parts(&name.name) {
            match part.kind {
                Kind::Trigger if plan.creates.contains(part) => {
                    self.edge(node, self.node(Action::Create, part));
                }
                Kind::Index | Kind::Constraint | Kind::Default | Kind::Column => {
                    if plan.creates.contains(part) {
                        self.edge(self.node(Action::Create, part), node);
                    } else if plan.alters.contains(part) {
                        self.edge((Action::Alter, part), node);
                    }
                }
                _ => {}
            }
        }
        for part in parts(object.text("partition_of").unwrap_or_default()) {
            let check = part.kind == Kind::Constraint
                && plan
                    .old(part)
                    .is_some_and(|old| matches!(old.word("type"), "check" | "foreign key"));
            if check && plan.creates.contains(part) {
                self.edge(node, self.node(Action::Create, part));
            }
            if part.kind == Kind::Column && plan.creates.contains(part) {
                self.edge(self.node(Action::Create, part), node);
            } else if part.kind == Kind::Column && plan.alters.contains(part) {
                self.edge((Action::Alter, part), node);
            }
        }
    }

    /// Takes what waits for nothing, first what goes, then by kind and name.
    fn sort(self) -> Vec<Node<'a>> {
        let mut waiting: BTreeMap<Node<'a>, usize> = BTreeMap::new();
        let mut followers: HashMap<Node<'a>, Vec<Node<'a>>> = HashMap::new();
        for (node, firsts) in &self.after {
            waiting.insert(*node, firsts.len());
            for first in firsts {
                followers.entry(*first).or_default().push(*node);
            }
        }
        let mut ready: BTreeSet<(Action, i32, Node<'a>)> = BTreeSet::new();
        let rank = |node: Node<'a>| {
            let kind =
                i32::try_from(Kind::ALL.iter().position(|kind| *kind == node.1.kind).unwrap_or(0))
                    .unwrap_or(0);
            (node.0, if node.0 == Action::Drop { -kind } else { kind }, node)
        };
        ready.extend(waiting.iter().filter(|(_, count)| **count == 0).map(|(node, _)| rank(*node)));
        let mut order = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            // In a circle nothing is ready; the first by kind is as good as any.
            let next = ready.pop_first().or_else(|| waiting.keys().map(|node| rank(*node)).min());
            let Some((_, _, node)) = next else { break };
            if waiting.remove(&node).is_none() {
                continue;
            }
            order.push(node);
            for follower in followers.get(&node).into_iter().flatten() {
                if let Some(count) = waiting.get_mut(follower) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(rank(*follower));
                    }
                }
            }
        }
        order
    }
}

/// What an object needs; an inherited column needs the one that it inherits.
fn needs<'a>(catalogue: &'a Catalogue, name: &Name) -> Vec<&'a Name> {
    let Some(object) = catalogue.objects.get(name) else { return Vec::new() };
    let mut needs: Vec<&Name> = object.requires.iter().collect();
    needs.extend(ancestors(catalogue, name, object));
    needs
}

/// The columns of parents that a column goes with.
pub(super) fn ancestors<'a>(
    catalogue: &'a Catalogue,
    name: &Name,
    object: &Object,
) -> Vec<&'a Name> {
    if name.kind != Kind::Column {
        return Vec::new();
    }
    let column = |parent: &str| {
        let name = Name { kind: Kind::Column, name: format!("{parent}.{}", object.local) };
        catalogue.objects.get_key_value(&name).map(|(name, _)| name)
    };
    parents(catalogue, object).into_iter().filter_map(column).collect()
}

/// The parents of the table that a column is in.
pub(super) fn parents<'a>(catalogue: &'a Catalogue, column: &Object) -> Vec<&'a str> {
    let table = Plan::whole(catalogue, column).and_then(|table| catalogue.objects.get(table));
    let Some(table) = table else { return Vec::new() };
    table.list("inherits").into_iter().chain(table.text("partition_of")).collect()
}

/// The object in whose statement this one comes or goes.
fn owner<'a>(
    plan: &Plan<'a>,
    catalogue: &'a Catalogue,
    set: &BTreeSet<&'a Name>,
    name: &'a Name,
    going: bool,
) -> &'a Name {
    let Some(object) = catalogue.objects.get(name) else { return name };
    let whole = Plan::whole(catalogue, object).filter(|whole| set.contains(whole));
    // A table that has left its parent gets nothing from it until it has joined it again.
    let joined = if going { Vec::new() } else { parents(plan.after, object) };
    let inherited = || {
        let above = ancestors(catalogue, name, object).into_iter();
        above.filter(|_| object.flag("inherited")).find(|column| {
            let table = catalogue.objects.get(*column).and_then(|column| column.of.as_deref());
            set.contains(column) && (going || table.is_some_and(|table| joined.contains(&table)))
        })
    };
    let of = object.of.as_deref().unwrap_or_default();
    let up = match name.kind {
        Kind::Column | Kind::Attribute => whole.or_else(inherited),
        Kind::Sequence if object.flag("identity") => {
            let column = Name { kind: Kind::Column, name: of.to_owned() };
            set.get(&column).copied()
        }
        Kind::Default if !going => inlined(plan, name, object),
        // It goes with its table, or else with the index that it is part of.
        Kind::Index | Kind::Constraint if going && object.text("partition_of").is_some() => {
            let part_of = |need: &&&Name| need.kind == name.kind && set.contains(**need);
            let parent = || object.requires.iter().find(|need| part_of(&need));
            whole.or_else(|| parent().and_then(|parent| set.get(parent).copied()))
        }
        Kind::Index
        | Kind::Constraint
        | Kind::Trigger
        | Kind::Rule
        | Kind::Policy
        | Kind::Default
            if going =>
        {
            whole.filter(|_| alone(object, set))
        }
        _ => None,
    };
    match up {
        Some(up) if up != name => owner(plan, catalogue, set, up, going),
        _ => name,
    }
}

/// Whether, of what goes, it uses nothing but the relation that it hangs on.
fn alone(object: &Object, set: &BTreeSet<&Name>) -> bool {
    let of = object.of.as_deref().unwrap_or_default();
    object.requires.iter().all(|need| {
        let inside = need.name == of
            || need.kind == Kind::Column
                && need.name.starts_with(of)
                && need.name.as_bytes().get(of.len()) == Some(&b'.');
        inside || !set.contains(need)
    })
}

/// The column in whose definition a default can stand, if everything is there that it uses.
pub(super) fn inlined<'a>(plan: &Plan<'a>, name: &Name, object: &Object) -> Option<&'a Name> {
    let column = Name { kind: Kind::Column, name: name.name.clone() };
    let column = *plan.creates.get(&column)?;
    let table = plan.old(column).and_then(|object| Plan::whole(plan.before, object))?;
    let inherits =
        plan.old(table)?.facts.contains_key("inherits") || plan.old(column)?.flag("inherited");
    let there = |need: &Name| {
        *need == *column
            || *need == *table
            || !plan.creates.contains(need) && !plan.alters.contains(need)
    };
    (table.kind == Kind::Table && !inherits && object.requires.iter().all(there)).then_some(column)
}

/// The names that an object takes, each within its family.
fn claims(catalogue: &Catalogue, name: &Name) -> Vec<(String, String)> {
    let own = name.kind.family().unwrap_or(name.kind.words());
    let mut claims = vec![(own.to_owned(), name.name.clone())];
    let Some(object) = catalogue.objects.get(name) else { return claims };
    if name.kind == Kind::Constraint
        && matches!(object.word("type"), "primary key" | "unique" | "exclusion")
    {
        let table = Plan::whole(catalogue, object).and_then(|table| catalogue.objects.get(table));
        let schema =
            object.of.as_deref().zip(table).and_then(|(of, table)| of.strip_suffix(&table.local));
        if let Some(schema) = schema {
            claims.push(("relation".to_owned(), format!("{schema}{}", object.local)));
        }
    }
    claims
}
