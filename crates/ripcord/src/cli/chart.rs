//! Small charts of block characters, one line high.

/// From empty to full.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Eighths of a character, from the left.
const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A bar that is full at 1.
pub(crate) fn bar(part: f64, width: usize) -> String {
    let eighths = level(part, width * 8);
    let mut text = "█".repeat(eighths / 8);
    if let Some(part) = (eighths % 8).checked_sub(1) {
        text.push(PARTS[part]);
    }
    let used = text.chars().count();
    text.extend(std::iter::repeat_n('·', width.saturating_sub(used)));
    text
}

/// A line of values between 0 and 1, as wide as there are values; none is a gap.
pub(crate) fn line(values: &[Option<f64>]) -> String {
    let shown =
        |value: &Option<f64>| value.map_or(' ', |value| LEVELS[level(value, LEVELS.len() - 1)]);
    values.iter().map(shown).collect()
}

/// Fewer values than there are: each column is `merge` of its part of them.
pub(crate) fn columns<T, U>(values: &[T], width: usize, merge: impl Fn(&[T]) -> U) -> Vec<U> {
    let width = width.clamp(1, values.len().max(1));
    let edge = |column: usize| column * values.len() / width;
    (0..width)
        .map(|column| &values[edge(column)..edge(column + 1)])
        .filter(|part| !part.is_empty())
        .map(merge)
        .collect()
}

/// A part as one of so many levels above the lowest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a part of a small number"
)]
fn level(part: f64, levels: usize) -> usize {
    let part = if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) };
    (part * levels as f64).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars() {
        assert_eq!(bar(0.0, 4), "····");
        assert_eq!(bar(0.3, 4), "█▎··");
        assert_eq!(bar(0.5, 4), "██··");
        assert_eq!(bar(7.0, 4), "████");
        assert_eq!(bar(f64::NAN, 2), "··");
        assert_eq!(bar(1.0, 0), "");
    }

    #[test]
    fn lines() {
        assert_eq!(line(&[Some(0.0), Some(0.5), None, Some(1.0), Some(9.0)]), "▁▅ ██");
        assert_eq!(line(&[]), "");
    }

    #[test]
    fn any_number_of_values_fits() {
        let sums =
            |count: u32, width| columns(&(0..count).collect::<Vec<_>>(), width, <[u32]>::len);
        assert_eq!(sums(3, 10), [1, 1, 1]);
        assert_eq!(sums(10, 3), [3, 3, 4]);
        assert_eq!(sums(0, 3), [0; 0]);
        assert_eq!(sums(5, 0), [5]);
    }
}
