//! What happens in a world, in words, for somebody who looks for what went wrong in one.

use dispatch::driver::trouble_in_words;
use station::engine::enrollment::Order;
use station::engine::step::StepResult;

use super::key::Twin;
use super::power::PowerCut;
use super::transport::lock;
use super::world::World;

/// One step, and what came of it.
pub(super) fn step(words: &str, result: Result<&StepResult, &PowerCut>) {
    match result.map(trouble_in_words) {
        Ok(None) => println!("  {words}"),
        Ok(Some(trouble)) => println!("  {words}: {trouble}"),
        Err(PowerCut) => println!("  {words}: the power is cut"),
    }
}

/// A key is plugged in.
pub(super) fn insertion(world: &World, key: usize, order: &Order) {
    if !world.tells {
        return;
    }
    let shared = lock(&world.shared);
    println!(
        "insertion {} of key {key}: {:?}, {:?}, server {}",
        world.insertions() + 1,
        order.profile,
        world.touching,
        if shared.reachable { "reachable" } else { "away" }
    );
}

/// What tokens and keys are now.
pub(super) fn state(world: &World) {
    if !world.tells {
        return;
    }
    for token in lock(&world.shared).server.tokens() {
        let kept = token.info.contains_key("enrollment.access_code");
        println!(
            "  = token {}{}{}",
            token.serial,
            if token.active { " counts" } else { "" },
            if kept { ", keeps an access code" } else { "" }
        );
    }
    for (number, key) in world.keys.iter().enumerate() {
        let Twin::YubiKey(twin) = key.twin() else { continue };
        for (slot, content) in (1..).zip(&twin.snapshot().slots) {
            let Some(content) = content else { continue };
            let lock = if content.protected { "locked" } else { "open" };
            println!("  = key {number} slot {slot} {lock}");
        }
    }
}
