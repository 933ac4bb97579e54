//! Conversations by bytes.
