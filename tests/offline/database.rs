//! The database of workloads: the program of the control plane, as it lies in the bundle, against a
//! real PostgreSQL. Kubernetes, AWS and the certificates' publisher are stand-ins; what psql is called
//! with and what the server logs is searched for passwords after every run.

mod hands;
mod server;
mod trust;
mod user;
mod world;
