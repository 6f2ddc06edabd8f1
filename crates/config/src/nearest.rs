//! The known name that is most like an unknown one.

/// The nearest of the names, unless none is near enough to be meant.
///
/// Near is: the same but for case, no more than a third of the characters to change, or a
/// beginning of at least four characters.
pub(crate) fn nearest<'names>(
    name: &str,
    names: impl Iterator<Item = &'names str>,
) -> Option<&'names str> {
    // No field name is this long, and comparing costs the product of the lengths.
    if name.len() > 64 {
        return None;
    }
    let lower = name.to_lowercase();
    names
        .map(|known| (distance(&lower, &known.to_lowercase()), known))
        .filter(|(distance, known)| {
            let begins = lower.len() >= 4 && known.to_lowercase().starts_with(&lower);
            begins || *distance <= known.len().max(3) / 3
        })
        .min()
        .map(|(_, known)| known)
}

/// How many characters to insert, remove, replace or swap with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before_last = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, left_character) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, right_character) in right.iter().enumerate() {
            let replace = last[column] + usize::from(left_character != right_character);
            let mut best = replace.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0
                && column > 0
                && left[row - 1] == *right_character
                && *left_character == right[column - 1];
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let names = ["serviceSubnet", "podSubnet", "dnsDomain"];
        for (written, meant) in [
            ("serviceSubnets", Some("serviceSubnet")),
            ("servicesubnet", Some("serviceSubnet")),
            ("podSubent", Some("podSubnet")),
            ("dnsdomian", Some("dnsDomain")),
            ("dnsD", Some("dnsDomain")),
            ("bogus", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, names.into_iter()), meant, "{written}");
        }
    }
}
