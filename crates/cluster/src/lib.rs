//! The API server and etcd as clients.
