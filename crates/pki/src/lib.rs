//! Issues, reads and judges keys and certificates.
