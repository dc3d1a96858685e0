//! Nearest word.
