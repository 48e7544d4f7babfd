//! Queues and messages.
