use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// The config that ships, as its network's tests use it.
pub(crate) fn shipped<C: Config>() -> C {
    parse(&json_of::<C>()).unwrap().config
}

fn json_of<C: Config>() -> Vec<u8> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    std::fs::read(models.join(C::NETWORK).join("config.json")).unwrap()
}

/// The error, with its cause, after a change of the shipped config.
fn refusal<C: Config>(change: impl Fn(&mut Value)) -> String {
    let mut config = serde_json::from_slice(&json_of::<C>()).unwrap();
    change(&mut config);
    let error = parse::<C>(&serde_json::to_vec(&config).unwrap()).err().unwrap();
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}")
}

#[test]
fn shipped_configs_are_accepted() {
    fn version<C: Config>() -> String {
        parse::<C>(&json_of::<C>()).unwrap().version
    }
    for version in [version::<LocatorConfig>(), version::<LinesConfig>(), version::<RecogniserConfig>()] {
        assert_eq!(version.split('.').count(), 3, "{version}");
    }
}

#[test]
fn rejects_unknown_keys_at_any_depth() {
    let refused = refusal::<LocatorConfig>(|config| config["padding"] = json!(3));
    assert!(refused.contains("locator/config.json") && refused.contains("unknown field `padding`"), "{refused}");
    let refused = refusal::<RecogniserConfig>(|config| config["strip"]["padding"] = json!(3));
    assert!(refused.contains("recogniser/config.json") && refused.contains("unknown field `padding`"), "{refused}");
}

#[test]
fn rejects_missing_keys_at_any_depth() {
    let remove = |value: &mut Value, key: &str| value.as_object_mut().unwrap().remove(key).unwrap();
    let refused = refusal::<LinesConfig>(|config| {
        remove(config, "distance_unit");
    });
    assert!(refused.contains("lines/config.json") && refused.contains("missing field `distance_unit`"), "{refused}");
    let refused = refusal::<RecogniserConfig>(|config| {
        remove(&mut config["calibration"], "bias");
    });
    assert!(refused.contains("missing field `bias`"), "{refused}");
    let refused = refusal::<LinesConfig>(|config| {
        remove(config, "version");
    });
    assert!(refused.contains("missing field `version`"), "{refused}");
}

#[test]
fn rejects_other_formats_before_anything_else() {
    let refused = refusal::<LinesConfig>(|config| *config = json!({"format": 1, "threshold": 0.5}));
    assert!(refused.starts_with("network lines has format 1, this program knows format 2"), "{refused}");
    let refused = refusal::<LinesConfig>(|config| *config = json!({"threshold": 0.5}));
    assert!(refused.contains("missing field `format`"), "{refused}");
}

#[test]
fn rejects_configs_of_other_networks_and_numbers_that_contradict_each_other() {
    let refused = refusal::<LinesConfig>(|config| config["name"] = json!("locator"));
    assert!(refused.contains("its config is that of network locator"), "{refused}");
    let refused = refusal::<LocatorConfig>(|config| config["stride"] = json!(4));
    assert!(refused.contains("stride must be 2^(output_stage + 1)"), "{refused}");
    let refused = refusal::<LocatorConfig>(|config| config["channels"]["count"] = json!(15));
    assert!(refused.contains("channels must lie below channels.count"), "{refused}");
    let refused = refusal::<LinesConfig>(|config| config["channels"]["fields"][0] = json!("gender"));
    assert!(refused.contains("channels.fields must be all fields"), "{refused}");
    let refused = refusal::<RecogniserConfig>(|config| config["strip"]["width_multiple"] = json!(6));
    assert!(refused.contains("strip.width_multiple must be a multiple of step"), "{refused}");
    let refused = refusal::<LinesConfig>(|config| config["channels"]["hidden"] = json!(13));
    assert!(refused.contains("channels must lie below channels.count"), "{refused}");
    let refused = refusal::<LinesConfig>(|config| config["illumination"]["block"] = json!(7));
    assert!(refused.contains("illumination.block must divide frame.size"), "{refused}");
    let refused = refusal::<RecogniserConfig>(|config| config["channels"]["centre"] = json!(2));
    assert!(refused.contains("channels must lie below channels.count"), "{refused}");
    let refused = refusal::<RecogniserConfig>(|config| config["calibration"]["hidden"]["frame"] = json!(-0.1));
    assert!(refused.contains("calibration.hidden"), "{refused}");
    let refused = refusal::<RecogniserConfig>(|config| config["temperature"] = json!(0));
    assert!(refused.contains("temperature"), "{refused}");
}
