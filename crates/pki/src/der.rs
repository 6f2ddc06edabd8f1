//! The few pieces of DER (ITU-T X.690) that no package writes the way Go's `crypto/x509` does:
//! names, extensions, and a certificate put together from its parts. Reading knows lengths only.

/// The tags that are written here.
pub(crate) mod tag {
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
    /// `[n]`, primitive.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }
}

/// One element: tag, length, content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => out.push(length),
        _ => {
            let length = content.len().to_be_bytes();
            let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            // At most eight bytes, so the cast keeps the value.
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(8));
            out.extend(significant);
        }
    }
    out.extend_from_slice(content);
    out
}

/// A SEQUENCE of finished elements.
pub(crate) fn sequence<'a>(elements: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let content: Vec<u8> = elements.into_iter().flatten().copied().collect();
    element(tag::SEQUENCE, &content)
}

/// A SET OF, its elements in the ascending order that DER asks for.
pub(crate) fn set_of(mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    element(tag::SET, &elements.concat())
}

/// A BIT STRING of whole bytes.
pub(crate) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    let mut content = vec![0];
    content.extend_from_slice(bytes);
    element(tag::BIT_STRING, &content)
}

/// Splits the first element off: its tag, its content, all of its bytes, and what follows.
/// Nothing if the bytes end too early or use a form that DER forbids.
pub(crate) fn split_first(bytes: &[u8]) -> Option<Element<'_>> {
    let (&tag, rest) = bytes.split_first()?;
    // Tags above 30 take several bytes; no certificate has one.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > size_of::<usize>() || rest.len() < count {
            return None;
        }
        let (digits, rest) = rest.split_at(count);
        let length = digits
            .iter()
            .fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
        (length, rest)
    };
    if rest.len() < length {
        return None;
    }
    let (content, rest) = rest.split_at(length);
    Some(Element {
        tag,
        content,
        whole: &bytes[..bytes.len() - rest.len()],
        rest,
    })
}

/// An element at the start of some bytes.
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
    pub(crate) rest: &'a [u8],
}

/// The elements inside a SEQUENCE that fills all the bytes.
pub(crate) fn elements_of(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let outer = split_first(bytes)?;
    if outer.tag != tag::SEQUENCE || !outer.rest.is_empty() {
        return None;
    }
    let mut rest = outer.content;
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let next = split_first(rest)?;
        elements.push(next.whole);
        rest = next.rest;
    }
    Some(elements)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(element(tag::OCTET_STRING, &[7; 3]), [4, 3, 7, 7, 7]);
        assert_eq!(element(4, &[0; 127])[..2], [4, 127]);
        assert_eq!(element(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(element(4, &[0; 300])[..4], [4, 0x82, 1, 44]);
    }

    #[test]
    fn a_set_is_sorted_by_its_bytes() {
        let set = set_of(vec![element(4, b"b"), element(4, b"a")]);
        assert_eq!(set, [0x31, 6, 4, 1, b'a', 4, 1, b'b']);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..5)) {
            let written: Vec<Vec<u8>> = contents.iter().map(|content| element(4, content)).collect();
            let whole = sequence(written.iter().map(Vec::as_slice));
            let read = elements_of(&whole).unwrap();
            prop_assert_eq!(read, written.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = elements_of(&bytes);
        }
    }
}
