//! The few bits of DER that a key's public half is made of.

use x509_parser::asn1_rs::{Any, FromDer as _, Tag};

/// The elements inside a constructed value.
pub(crate) fn elements(der: &[u8]) -> Option<Vec<Any<'_>>> {
    let (_, outer) = Any::from_der(der).ok()?;
    elements_of(outer.data)
}

/// The elements that follow one another in `bytes`.
pub(crate) fn elements_of(mut bytes: &[u8]) -> Option<Vec<Any<'_>>> {
    let mut elements = Vec::new();
    while !bytes.is_empty() {
        let (rest, element) = Any::from_der(bytes).ok()?;
        elements.push(element);
        bytes = rest;
    }
    Some(elements)
}

/// The digits of an unsigned INTEGER without leading zeros.
pub(crate) fn digits<'a>(element: &Any<'a>) -> Option<&'a [u8]> {
    let bytes = element.data;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    (element.tag() == Tag::Integer).then_some(&bytes[zeros..])
}

/// The length of an unsigned number in bits.
pub(crate) fn bits(digits: &[u8]) -> usize {
    digits
        .first()
        .map_or(0, |first| digits.len() * 8 - first.leading_zeros() as usize)
}
