//! The machine: files, processes, network facts and probes.
