//! libnitrokey's 67 transactions, fed to the twin.

use std::time::Duration;

use keys::device::Firmware;
use twins::key::KeyTwin;
use twins::nitrokey_pro::{Model, NitrokeyProTwin, Product};

const VECTORS: &str = include_str!("../../../keys/tests/vectors/nitrokey_pro.json");

#[test]
fn every_answer_is_given_byte_for_byte() {
    let model = Model::new(Product::Pro, Firmware::new(0, 15, 0), 0x5555).unwrap();
    let mut key = NitrokeyProTwin::new(model, 1);
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let list = vectors["transcripts"]["fw0.15"].as_array().unwrap();
    assert_eq!(list.len(), 67);
    for (number, entry) in list.iter().enumerate() {
        let bytes = |name: &str| {
            let text = entry[name].as_str().unwrap();
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        };
        let out: Vec<u8> = bytes("out").collect();
        key.set_feature(&out).unwrap();
        let shown = loop {
            key.advance(Duration::from_millis(1)).unwrap();
            let shown = key.get_feature().unwrap();
            if shown[0] == 0 {
                break shown;
            }
        };
        assert_eq!(shown, bytes("in").collect::<Vec<_>>(), "{number} {}", entry["command"]);
    }
}
