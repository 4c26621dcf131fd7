//! What the networks of one reader work in.

use std::cell::{Cell, RefCell};

use super::FeatureMap;
use super::conv::Work;

/// Sees everything that passes through the networks: to compare two engines layer by layer, or to look for a fault.
///
/// Layers are called as in the network's weights, behind the network's name: `recogniser.blocks1.0.conv2`. A layer is a
/// convolution with what is added to its results and with its ReLU.
pub trait Observer: Send {
    /// A network is applied to `map`.
    fn input(&mut self, network: &str, map: &FeatureMap);

    /// A layer has given `map`. What is left in it goes into the next layer.
    fn output(&mut self, layer: &str, map: &mut FeatureMap);
}

/// What the networks work in; one per reader, so that nothing is allocated per layer but its result.
#[derive(Default)]
pub struct Scratch {
    pub(super) work: RefCell<Work>,
    products: Cell<u64>,
    observer: Option<RefCell<Box<dyn Observer>>>,
}

impl Scratch {
    /// Shows everything that passes through the networks to `observer`. Costs time and copies.
    pub fn observed_by(observer: Box<dyn Observer>) -> Scratch {
        Scratch { observer: Some(RefCell::new(observer)), ..Scratch::default() }
    }

    /// How many multiplications of the networks were done with it.
    pub fn products(&self) -> u64 {
        self.products.get()
    }

    pub(super) fn count_products(&self, products: usize) {
        self.products.set(self.products.get() + products as u64);
    }

    #[cfg(feature = "reference")]
    pub(super) fn is_observed(&self) -> bool {
        self.observer.is_some()
    }

    pub(super) fn observe_input(&self, network: &str, map: &FeatureMap) {
        if let Some(observer) = &self.observer {
            observer.borrow_mut().input(network, map);
        }
    }

    pub(super) fn observe_output(&self, layer: &str, map: &mut FeatureMap) {
        if let Some(observer) = &self.observer {
            observer.borrow_mut().output(layer, map);
        }
    }
}
