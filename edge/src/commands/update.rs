//! `edge update`.

use anyhow::Result;
use cssa::bundle::{Bundle, BundleWriter, Delta, Trusted, named_or_default};
use std::path::PathBuf;

/// Options of `edge update`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge update new.delta --bundle mine.cssa --out new.cssa
      Makes the new bundle of the one on board and a delta from `exporter delta`.")]
pub(crate) struct UpdateOptions {
    /// Delta from `exporter delta`.
    delta: PathBuf,
    /// Bundle that the delta starts from. Default: the default bundle.
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// minisign public key: accept only a bundle that is signed with it.
    #[arg(long)]
    trust: Option<PathBuf>,
    /// New bundle: a new or empty folder, or a file that ends in .cssa.
    #[arg(long)]
    out: PathBuf,
}

/// Makes the new bundle of an earlier one and a delta; nothing appears under its name unless every file is as its manifest
/// says.
pub(crate) fn update(options: &UpdateOptions) -> Result<()> {
    let trusted = options.trust.as_deref().map(Trusted::read).transpose()?;
    let place = BundleWriter::create(&options.out)?;
    let earlier = cssa::bundle::contents(&named_or_default(options.bundle.as_deref())?)?;
    let new = Delta::read(&options.delta)?.apply(&options.delta, &earlier, trusted.as_ref())?;
    place.write(&new)?;
    let bundle = Bundle::read_trusted(&options.out, trusted.as_ref())?;
    tracing::info!("{}: bundle {:04x}", options.out.display(), bundle.id);
    Ok(())
}
