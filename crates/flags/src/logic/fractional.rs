//! `fractional`: a share of users for each variant, the same users every time.

use crate::logic::bucket::{WEIGHTS_MAX, bucket, weight};
use crate::logic::run::{Data, Halt};
use crate::logic::{Bucketing, Rule, Run, Value};

impl<'a> Run<'a> {
    /// The variant of the user; null where the rule or the context does not say who that is.
    pub(crate) fn fractional(
        &mut self,
        arguments: &'a [Rule],
        data: Data<'_, 'a>,
    ) -> Result<Value<'a>, Halt> {
        let Some((first, rest)) = arguments.split_first() else { return Ok(Value::Null) };
        let named = self.value(first, data)?;
        let (hash, shares) = match &named {
            _ if named.is_list() => (self.user(), arguments),
            // Until the third generation a value that is absent meant the user.
            Value::Null if self.bucketing == Bucketing::V2 => (self.user(), rest),
            Value::Null => (None, rest),
            _ => {
                self.charge(&named)?;
                (self.bucketing.hash(&named), rest)
            }
        };
        let Some(hash) = hash else { return Ok(Value::Null) };
        let mut weights = 0;
        let mut variants = Vec::with_capacity(shares.len());
        for share in shares {
            let share = self.value(share, data)?;
            let Some((variant, weight)) = read(&share) else { return Ok(Value::Null) };
            weights += weight;
            if weights > WEIGHTS_MAX {
                return Ok(Value::Null);
            }
            variants.push((variant, weights));
        }
        let place = bucket(hash, weights);
        let mut variants = variants.into_iter();
        let found = variants.find(|(_, end)| place < *end);
        Ok(found.map_or(Value::Null, |(variant, _)| variant))
    }

    /// The hash of the user for this flag, where there is one.
    fn user(&self) -> Option<u32> {
        let Value::Text(user) = self.root().member("targetingKey")? else { return None };
        if user.is_empty() {
            return None;
        }
        Some(self.bucketing.hash_user(&self.flag_key(), &user))
    }
}

/// A share: the variant and its weight, which is one where none is given.
fn read<'a>(share: &Value<'a>) -> Option<(Value<'a>, u64)> {
    let size = share.len();
    if size == 0 {
        return None;
    }
    let variant = share.at(0);
    if variant.is_list() || matches!(variant, Value::Json(_)) {
        return None;
    }
    let weight = if size == 1 { 1 } else { weight(&share.at(1))? };
    Some((variant, weight))
}
