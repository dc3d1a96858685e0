//! Projections: copies of the settled records for other tools. They can be rebuilt, and never hold up an acknowledgement.
