//! What the key is, and what is in its slots.

use std::time::Duration;

use keys::device::{Firmware, Slot};
use station::profile::Overwrite;
use station::refusal::Code;
use twins::yubikey::Faults;

use crate::key::Held;
use crate::plan::{Before, Expect, Plan};

use Expect::{Enrolled, Quarantined, Refused, Undone};

const CODE: [u8; 6] = [1, 2, 3, 4, 5, 6];
const OTHER_CODE: [u8; 6] = [6, 5, 4, 3, 2, 1];

pub(super) fn plans() -> Vec<Plan> {
    let plan = |name: &str, expect| Plan::new(format!("keys / {name}"), expect);
    let occupied = |held| {
        move |name: &str, expect| {
            let plan = Plan::new(format!("keys / {name}"), expect);
            plan.key(|key| key.slot1 = held).profile(|profile| profile.overwrite = Overwrite::Confirmed)
        }
    };
    let (foreign, guarded) = (occupied(Held::Foreign), occupied(Held::Guarded(CODE)));
    let mut plans = vec![
        plan("slot in use", Refused(Code::SlotOccupied)).key(|key| key.slot1 = Held::Foreign),
        plan("slot in use, a profile that once allowed ours", Refused(Code::SlotOccupied))
            .key(|key| key.slot1 = Held::Foreign)
            .profile(|profile| profile.overwrite = Overwrite::Ours)
            .confirmed(),
        foreign("slot in use, not confirmed", Refused(Code::SlotOccupied)),
        foreign("slot in use, confirmed", Enrolled).confirmed().twin_only(),
        foreign("slot in use, confirmed, a code that is not needed", Enrolled)
            .confirmed()
            .unlock(CODE)
            .twin_only(),
        guarded("guarded slot, not confirmed", Refused(Code::SlotOccupied)).unlock(CODE),
        guarded("guarded slot, confirmed, no code", Refused(Code::AccessCode)).confirmed(),
        guarded("guarded slot, confirmed, wrong code", Refused(Code::AccessCode))
            .confirmed()
            .unlock(OTHER_CODE),
        guarded("guarded slot, confirmed, right code", Enrolled).confirmed().unlock(CODE),
        plan("slot 2", Enrolled)
            .key(|key| (key.slot1, key.slot2) = (Held::Foreign, Held::Nothing))
            .profile(|profile| profile.slot = Slot(2)),
        plan("no such slot", Refused(Code::NoSuchSlot)).profile(|profile| profile.slot = Slot(3)),
        // Newer keys tell their serial among what they say about themselves, whatever a slot hides.
        plan("serial hidden, firmware 3.4.9", Refused(Code::SerialHidden))
            .key(|key| (key.hides_serial, key.firmware) = (true, Firmware::new(3, 4, 9))),
        plan("serial hidden, firmware 5.4.3", Enrolled).key(|key| key.hides_serial = true).twin_only(),
        plan("OTP switched off", Refused(Code::InterfaceDisabled)).key(|key| key.product = Some(0x0406)),
        plan("token serial taken", Refused(Code::SerialTaken)).before(Before::Serial),
    ];
    for (firmware, expect, real) in [
        (Firmware::new(2, 0, 0), Refused(Code::FirmwareTooOld), true),
        (Firmware::new(2, 3, 0), Enrolled, false),
        (Firmware::new(3, 4, 9), Enrolled, false),
        (Firmware::new(4, 3, 7), Enrolled, false),
        (Firmware::new(5, 7, 1), Enrolled, false),
    ] {
        let plan = plan(&format!("firmware {firmware}"), expect).key(|key| key.firmware = firmware);
        plans.push(if real { plan } else { plan.twin_only() });
    }
    plans.extend(clumsy());
    plans
}

fn faults(set: impl FnOnce(&mut Faults)) -> Faults {
    let mut faults = Faults::default();
    set(&mut faults);
    faults
}

/// A person who does not do what the display says, and a key that fails.
fn clumsy() -> Vec<Plan> {
    let plan = |name: &str, expect| Plan::new(format!("keys / {name}"), expect);
    // Long enough for a touch on a busy machine.
    let briefly = |plan: Plan| plan.profile(|profile| profile.touch = Duration::from_secs(3));
    vec![
        briefly(plan("touched at the third request", Enrolled))
            .key(|key| key.faults.ignore_touches = 2)
            .twin_only(),
        briefly(plan("not touched", Undone(Code::NotTouched)))
            .key(|key| key.faults.ignore_touches = 3)
            .again()
            .twin_only(),
        plan("pulled out while it is written", Quarantined(Code::PulledWhileWriting))
            .key(|key| key.faults_in_writing = Some(faults(|faults| faults.pull_out_after_reports = Some(5))))
            .again(),
        plan("takes no credential", Undone(Code::WriteRefused))
            .key(|key| key.faults.refuse_writes = 1)
            .again(),
    ]
}
