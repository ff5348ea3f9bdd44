//! Defects that are planted to see whether the explorer catches them.
//!
//! They are planted between the engine and the world: a step is answered as if
//! it had been carried out, or is carried out too early. So the engine needs no
//! switch for them.

use std::time::Duration;

use keys::device::{Credential, Digits, KeySerial, Operation, Unlock};
use keys::nitrokey_pro::command::{FittingPin, TemporaryPassword, first_authenticate};
use keys::secret::{Pin, Seed};
use station::engine::enrollment::{Order, Replace};
use station::engine::server::{ServerAnswer, ServerCall, TokenSecret, Verdict};
use station::engine::step::StepResult;
use station::profile::Profile;
use twins::key::KeyTwin;
use zeroize::Zeroizing;

use super::driver;
use super::world::World;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// The key is written before the token is registered.
    WriteBeforeRegister,
    /// A new token is not kept from counting.
    ForgetDisable,
    /// A token that is to be taken back is not deleted.
    SkipUndo,
    /// The code that came out of the key is not checked by the server.
    SkipCheck,
    /// Each record reaches the disk only with the next one.
    JournalLate,
    /// The slot is erased whatever holds it.
    EraseForeign,
    /// The second of two steps is sent twice, as somebody does who heard no answer.
    RepeatStepTwo,
    /// PINs are guessed before a slot is written.
    GuessPin,
    /// What is to be handed over is thrown away.
    ForgetHandOver,
    /// What is finished on a key is replaced although no order names it.
    ReplaceUnnamed,
    /// One look that does not show a token is taken for a proof that there is none.
    BelieveOneLook,
    /// An order goes on when its client has gone.
    OutliveClient,
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::WriteBeforeRegister,
        Self::ForgetDisable,
        Self::SkipUndo,
        Self::SkipCheck,
        Self::JournalLate,
        Self::EraseForeign,
        Self::RepeatStepTwo,
        Self::GuessPin,
        Self::ForgetHandOver,
        Self::ReplaceUnnamed,
        Self::BelieveOneLook,
        Self::OutliveClient,
    ];

    /// The order that the engine gets instead.
    pub(super) fn instead_of_order(world: &World, order: Order, key: Option<KeySerial>) -> Order {
        match (world.defect, key) {
            (Some(Self::ReplaceUnnamed), Some(key)) => Order { replace: Replace::Key(key), ..order },
            _ => order,
        }
    }

    /// What the defect answers to a call instead of carrying it out.
    pub(super) fn instead_of_call(
        world: &mut World,
        call: &ServerCall,
        key: Option<usize>,
    ) -> Option<StepResult> {
        match (world.defect?, call) {
            (Self::ForgetDisable, ServerCall::Disable(_)) | (Self::SkipUndo, ServerCall::Delete(_)) => {
                Some(StepResult::Server(Ok(ServerAnswer::Done)))
            }
            (Self::SkipCheck, ServerCall::Check { .. } | ServerCall::Verify { .. }) => {
                Some(StepResult::Server(Ok(ServerAnswer::Verdict(Verdict::Accepted))))
            }
            (Self::WriteBeforeRegister, ServerCall::Register(registration)) => {
                let TokenSecret::Seed(seed) = &registration.secret else { return None };
                let operation = Operation::Program {
                    slot: Profile::new(keys::device::Kind::Hotp).slot,
                    credential: Credential::Hotp {
                        seed: Seed::new(seed.expose()).ok()?,
                        digits: Digits::Six,
                    },
                    unlock: Unlock::None,
                    new_code: None,
                    label: String::new(),
                    guard: keys::device::Guard::Nothing,
                };
                // Whatever comes of it, the engine goes on as if nothing had been.
                let _ = driver::operate(world, operation, key, &mut None);
                None
            }
            (Self::RepeatStepTwo, ServerCall::FinishTwoStep { .. }) => {
                let heard = driver::block_on(world.server.call(call.clone()));
                // The answer to the second is what nobody waits for.
                let _ = driver::block_on(world.server.call(call.clone()));
                Some(StepResult::Server(heard))
            }
            _ => None,
        }
    }

    /// What the defect answers to an operation instead of carrying it out.
    pub(super) fn instead_of_operation(world: &mut World, operation: &Operation) -> Option<StepResult> {
        if let (Some(Self::EraseForeign), Operation::Erase { .. } | Operation::Program { .. }) =
            (world.defect, operation)
        {
            let erase = Operation::Erase {
                slot: super::key::FOREIGN,
                kind: keys::device::Kind::Hotp,
                unlock: Unlock::None,
                label: String::new(),
            };
            let _ = driver::operate(world, erase, Some(0), &mut None);
        }
        if let (Some(Self::GuessPin), Operation::Program { .. }) = (world.defect, operation) {
            for guess in ["00000000", "11111111"] {
                // Keys without such a PIN are not asked.
                let _ = guess_pin(world, guess);
            }
        }
        None
    }

    /// Whether what is to be handed over is lost.
    pub(super) fn loses_what_is_handed_over(world: &World) -> bool {
        world.defect == Some(Self::ForgetHandOver)
    }
}

fn guess_pin(world: &mut World, guess: &str) -> Option<()> {
    let pin = Pin::new(Zeroizing::new(guess.to_owned())).ok()?;
    let query = first_authenticate(FittingPin::new(&pin)?, &TemporaryPassword::from_random(&[1; 24]));
    let key = world.keys.first_mut()?.nitrokey_pro()?;
    key.set_feature(query.bytes()).ok()?;
    // The smart card takes its time.
    key.advance(Duration::from_secs(5)).ok()
}
