//! `card-init`: the first process of the station. See [`card::early`].

fn main() {
    card::early::run()
}
