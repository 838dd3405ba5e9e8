//! The recurrent emotion models.
