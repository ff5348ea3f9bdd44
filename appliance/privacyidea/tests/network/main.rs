//! The transport against servers that break off, dawdle, overdo it or are not
//! who they should be.

#[cfg(test)]
mod fronts;
#[cfg(test)]
mod host;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod wire;
