//! A key twin that does not always say what its key says.

use core::time::Duration;

use super::Dice;
use crate::key::{KeyTwin, KeyboardReport, Press, TwinError};

/// How often it lies: once in so many transfers, by seed.
const HABITS: [u64; 5] = [2, 4, 10, 40, 200];

/// A liar around an honest key.
pub struct Liar<K> {
    key: K,
    dice: Dice,
    /// 0 is never.
    habit: u64,
    /// Answers of before, to be given again.
    heard: Vec<Vec<u8>>,
    lies: u64,
}

impl<K: KeyTwin> Liar<K> {
    /// The liar of that seed.
    pub fn new(key: K, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let which = dice.index(HABITS.len());
        let habit = HABITS.get(which).copied().unwrap_or(10);
        Self { key, dice, habit, heard: Vec::new(), lies: 0 }
    }

    /// One that tells the truth.
    pub fn honest(key: K) -> Self {
        Self { key, dice: Dice::new(0), habit: 0, heard: Vec::new(), lies: 0 }
    }

    /// How often it has lied.
    pub fn lies(&self) -> u64 {
        self.lies
    }

    /// The key as it is.
    pub fn key(&mut self) -> &mut K {
        &mut self.key
    }

    /// Once in so many times as often as it lies.
    fn rarely(&mut self, times: u64) -> bool {
        self.habit != 0 && self.dice.one_in(self.habit * times)
    }

    fn lies_now(&mut self) -> bool {
        let lie = self.rarely(1);
        self.lies += u64::from(lie);
        lie
    }

    /// An answer, or what it says instead.
    fn told(&mut self, truth: Result<Vec<u8>, TwinError>) -> Result<Vec<u8>, TwinError> {
        if let Ok(answer) = &truth
            && self.heard.len() < 64
        {
            self.heard.push(answer.clone());
        }
        if !self.lies_now() {
            return truth;
        }
        match self.dice.below(4) {
            0 => Err(TwinError::Nack),
            1 if !self.heard.is_empty() => {
                let which = self.dice.index(self.heard.len());
                Ok(self.heard.get(which).cloned().unwrap_or_default())
            }
            _ => {
                let mut answer = truth.unwrap_or_else(|_| vec![0; 8]);
                self.dice.spoil(&mut answer);
                Ok(answer)
            }
        }
    }
}

impl<K: KeyTwin> KeyTwin for Liar<K> {
    fn set_feature(&mut self, report: &[u8]) -> Result<(), TwinError> {
        if !self.lies_now() {
            return self.key.set_feature(report);
        }
        match self.dice.below(3) {
            // Taken, it says, and did not.
            0 => Ok(()),
            1 => Err(TwinError::Nack),
            _ => {
                let mut spoilt = report.to_vec();
                self.dice.spoil(&mut spoilt);
                spoilt.resize(report.len(), 0);
                self.key.set_feature(&spoilt)
            }
        }
    }

    fn get_feature(&mut self) -> Result<Vec<u8>, TwinError> {
        let truth = self.key.get_feature();
        self.told(truth)
    }

    fn out(&mut self, packet: &[u8]) -> Result<(), TwinError> {
        if self.lies_now() { Ok(()) } else { self.key.out(packet) }
    }

    fn input(&mut self) -> Result<Option<Vec<u8>>, TwinError> {
        match self.key.input() {
            Ok(Some(packet)) => self.told(Ok(packet)).map(Some),
            Ok(None) if self.rarely(16) => self.told(Ok(vec![0; 64])).map(Some),
            other => other,
        }
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TwinError> {
        let truth = self.key.apdu(command);
        self.told(truth)
    }

    fn touch(&mut self, press: Press) -> Result<Vec<KeyboardReport>, TwinError> {
        let mut typed = self.key.touch(press)?;
        for report in &mut typed {
            if self.rarely(4) {
                self.lies += 1;
                let bytes = self.dice.next().to_le_bytes();
                *report = bytes;
            }
        }
        Ok(typed)
    }

    fn power(&mut self) -> Result<(), TwinError> {
        self.key.power()
    }

    fn advance(&mut self, by: Duration) -> Result<(), TwinError> {
        self.key.advance(by)
    }
}
