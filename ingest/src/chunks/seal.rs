//! Seals generations. (Signatures first.)
#[derive(Debug)]
pub struct Sealer {}
