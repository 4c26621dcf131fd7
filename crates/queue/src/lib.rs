//! Jobs in flight on RabbitMQ: topology, confirmed publishing, supervised consuming. The only crate that names lapin.
