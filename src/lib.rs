//! dmsnet keeps the network that an AWS DMS migration needs: it derives security group rules and VPC
//! endpoints from a `DmsNetwork`, compares them with AWS, creates or repairs them and reports drift.

pub mod api;
#[cfg(feature = "controller")]
pub mod aws;
#[cfg(feature = "controller")]
pub mod cli;
#[cfg(feature = "controller")]
pub mod controller;
pub mod model;
pub mod plan;
pub mod reach;
