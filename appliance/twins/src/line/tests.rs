use proptest::prelude::*;

use super::*;

#[test]
fn requests_survive_their_lines() {
    let lines = [
        "SET_FEATURE 0000000000000080",
        "GET_FEATURE",
        "OUT ff00",
        "IN",
        "APDU 00a4040007a0000005272001",
        "TOUCH 1",
        "TOUCH 2",
        "POWER",
        "ADVANCE 0",
        "ADVANCE 86400000",
    ];
    for line in lines {
        assert_eq!(Request::parse(line).unwrap_or_else(|e| panic!("{line}: {e}")).line().as_str(), line);
    }
}

#[test]
fn what_is_not_exactly_a_request_is_none() {
    for (line, error) in [
        ("", LineError::Unknown),
        ("get_feature", LineError::Unknown),
        ("GET_FEATURE ", LineError::Unknown),
        ("GET_FEATURE 00", LineError::Unknown),
        ("SET_FEATURE", LineError::Unknown),
        ("SET_FEATURE ", LineError::Hex),
        ("SET_FEATURE 0", LineError::Hex),
        ("SET_FEATURE FF", LineError::Hex),
        ("SET_FEATURE  00", LineError::Hex),
        ("SET_FEATURE 00 ", LineError::Hex),
        ("TOUCH 3", LineError::Number),
        ("ADVANCE -1", LineError::Number),
        ("ADVANCE +1", LineError::Number),
        ("ADVANCE ", LineError::Number),
        ("ADVANCE 86400001", LineError::Number),
        ("POWER\r", LineError::Unknown),
    ] {
        assert_eq!(Request::parse(line).err(), Some(error), "{line:?}");
    }
    let long = format!("OUT {}", "00".repeat(MAX_LINE / 2));
    assert_eq!(Request::parse(&long).err(), Some(LineError::TooLong));
}

#[test]
fn errors_keep_their_kind_on_the_line() {
    for error in [
        TwinError::Gone,
        TwinError::Nack,
        TwinError::NoInterface(Interface::Feature),
        TwinError::NoInterface(Interface::Fido),
        TwinError::NoInterface(Interface::Ccid),
        TwinError::Length { wanted: 8, got: 64 },
        TwinError::Memory("no room".to_owned()),
        TwinError::Line("unknown word".to_owned()),
    ] {
        let line = Reply::Failed(error.clone()).line();
        assert!(!line.contains('\n'));
        let Ok(Reply::Failed(again)) = Reply::parse(&line) else { panic!("{}", *line) };
        assert_eq!(again, error);
    }
    let Ok(Reply::Failed(error)) = Reply::parse("ERR something else") else { panic!("no error") };
    assert_eq!(error, TwinError::Line("something else".to_owned()));
}

#[test]
fn lines_come_out_of_any_cut_and_end_when_too_long() {
    let mut lines = Lines::new();
    lines.add(b"IN\nPOW");
    assert_eq!(lines.next().unwrap().unwrap().as_str(), "IN");
    assert!(lines.next().unwrap().is_none());
    lines.add(b"ER\n\xff\xfe\n");
    assert_eq!(lines.next().unwrap().unwrap().as_str(), "POWER");
    assert!(Request::parse(&lines.next().unwrap().unwrap()).is_err());
    lines.add(&[b'a'; MAX_LINE]);
    assert!(lines.next().unwrap().is_none());
    lines.add(b"a");
    assert_eq!(lines.next().err(), Some(LineError::TooLong));
}

proptest! {
    #[test]
    fn any_text_is_a_request_or_an_error_and_a_request_has_one_spelling(text in ".{0,80}") {
        if let Ok(request) = Request::parse(&text) {
            let line = request.line();
            prop_assert!(Request::parse(&line) == Ok(request));
        }
        if let Ok(reply) = Reply::parse(&text) {
            prop_assert!(Reply::parse(&reply.line()) == Ok(reply));
        }
    }

    #[test]
    fn replies_survive_their_lines(reports in proptest::collection::vec(any::<[u8; 8]>(), 0..40),
                                   bytes in proptest::collection::vec(any::<u8>(), 1..300)) {
        let reply = Reply::Reports(Zeroizing::new(reports));
        prop_assert!(Reply::parse(&reply.line()) == Ok(reply));
        let reply = Reply::Bytes(Zeroizing::new(bytes));
        prop_assert!(Reply::parse(&reply.line()) == Ok(reply));
    }
}
