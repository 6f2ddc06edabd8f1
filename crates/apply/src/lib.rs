//! The executor: inspects and ensures each action of a plan.
