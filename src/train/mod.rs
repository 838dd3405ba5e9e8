//! Corpora, splits, training and evaluation.
