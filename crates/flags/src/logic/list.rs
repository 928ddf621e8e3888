//! Operators that walk lists.

use crate::logic::run::{Data, Halt};
use crate::logic::value::List;
use crate::logic::{Operator, Rule, Run, Value, compare};

/// How deep lists that rules make may nest.
const DEPTH_MAX: usize = 64;

impl<'a> Run<'a> {
    /// `map`, `filter`, `all`, `none`, `some`: a rule for each element, which is all that it sees.
    pub(crate) fn each(
        &mut self,
        operator: Operator,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        let list = self.argument(arguments, 0, data)?;
        let rule = arguments.get(1);
        let mut made = Vec::new();
        let mut holding = 0;
        for at in 0..list.len() {
            let item = list.at(at);
            self.work(item.weight())?;
            let found = match rule {
                Some(rule) => self.value(rule, Data::Value(&item))?,
                None => Value::Null,
            };
            match operator {
                Operator::Map => made.push(found),
                Operator::Filter if found.truth() => made.push(item),
                Operator::Filter => {}
                _ => holding += usize::from(found.truth()),
            }
        }
        match operator {
            Operator::Map | Operator::Filter => list_of(made),
            Operator::All => Ok(Value::Bool(list.len() > 0 && holding == list.len())),
            Operator::None => Ok(Value::Bool(holding == 0)),
            _ => Ok(Value::Bool(holding > 0)),
        }
    }

    /// `reduce`: one value from all elements.
    pub(crate) fn reduce(
        &mut self,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        let list = self.argument(arguments, 0, data)?;
        let mut accumulator = self.argument(arguments, 2, data)?;
        let Some(rule) = arguments.get(1) else { return Ok(Value::Null) };
        for at in 0..list.len() {
            let current = list.at(at);
            self.work(current.weight())?;
            let inner = Data::Reduce { current: &current, accumulator: &accumulator };
            accumulator = self.value(rule, inner)?;
        }
        Ok(accumulator)
    }

    /// `merge`: one list from lists and single values.
    pub(crate) fn merge(
        &mut self,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        let mut made = Vec::new();
        for rule in arguments {
            let value = self.value(rule, data)?;
            if !value.is_list() {
                made.push(value);
                continue;
            }
            for at in 0..value.len() {
                let item = value.at(at);
                self.work(item.weight())?;
                made.push(item);
            }
        }
        list_of(made)
    }

    /// A list with something in it to evaluate.
    pub(crate) fn list(
        &mut self,
        rules: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        let mut made = Vec::with_capacity(rules.len());
        for rule in rules {
            made.push(self.value(rule, data)?);
        }
        list_of(made)
    }

    /// `missing`: which of the named attributes are absent or empty.
    pub(crate) fn missing(
        &mut self,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        let first = self.argument(arguments, 0, data)?;
        if first.is_list() {
            return self.absent(&first, data);
        }
        let names = self.list(arguments, data)?;
        self.absent(&names, data)
    }

    /// `missing_some`: nothing where enough of the named attributes are there, else the absent.
    pub(crate) fn missing_some(
        &mut self,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        let needed = self.argument(arguments, 0, data)?.number();
        let names = self.argument(arguments, 1, data)?;
        let absent = self.absent(&names, data)?;
        let present = names.len().saturating_sub(absent.len());
        let enough = u32::try_from(present).is_ok_and(|present| f64::from(present) >= needed);
        if enough { list_of(Vec::new()) } else { Ok(absent) }
    }

    fn absent(&mut self, names: &Value<'a>, data: Data<'_, 'a>) -> Result<Value<'a>, Halt> {
        let mut made = Vec::new();
        for at in 0..names.len() {
            let name = names.at(at);
            self.charge(&name)?;
            let found = self.attribute_named(&name.text(), data)?;
            let empty = matches!(&found, Some(Value::Text(text)) if text.is_empty());
            if empty || matches!(found, None | Some(Value::Null)) {
                made.push(name);
            }
        }
        list_of(made)
    }
}

/// `in`: whether a list has an element, or a text a part.
pub(crate) fn contains(needle: &Value<'_>, hay: &Value<'_>) -> bool {
    match hay {
        Value::Text(text) => text.contains(&*needle.text()),
        _ => (0..hay.len()).any(|at| compare::identical(needle, &hay.at(at))),
    }
}

fn list_of(items: Vec<Value<'_>>) -> Result<Value<'_>, Halt> {
    let depth = 1 + items.iter().map(Value::depth).max().unwrap_or(0);
    if depth > DEPTH_MAX {
        return Err(Halt::Depth);
    }
    Ok(Value::List(List { items, depth }))
}
