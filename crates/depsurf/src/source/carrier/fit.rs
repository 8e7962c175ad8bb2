//! U-Boot's FIT images (`doc/usage/fit/source_file_format.rst` of U-Boot): images and configurations in a device tree.
//!
//! An image has its data in the tree (`data`), or behind it (`data-offset` from the end of the tree, `data-position`
//! from the start of the file). Hashes and signatures are not compared.

use super::tree::{Token, Tree, is_named, text};
use super::{Part, none, part, u32_be};
use crate::error::{Error, Result};

/// The most nodes with images and with configurations; images for many boards have some hundreds.
const MOST_NODES: usize = 4096;
/// What is aligned behind the tree.
const ALIGN: u64 = 4;

/// A node of `/images` or `/configurations`, with those of its properties that lead to the kernel.
#[derive(Default)]
struct Node<'a> {
    name: &'a [u8],
    /// `type`
    kind: &'a [u8],
    data: Option<&'a [u8]>,
    offset: Option<u32>,
    position: Option<u32>,
    size: Option<u32>,
    /// `kernel` of a configuration.
    kernel: Option<&'a [u8]>,
}

/// What the tree tells.
#[derive(Default)]
struct Fit<'a> {
    images: Option<Vec<Node<'a>>>,
    configurations: Vec<Node<'a>>,
    /// `default` of the configurations.
    default: Option<&'a [u8]>,
}

/// The kernel of an image: that of the default configuration, else of the first that has one, else the first image of a
/// kernel.
///
/// # Errors
/// When the image is cut or damaged, or is another device tree or has no kernel.
pub fn kernel(bytes: &[u8]) -> Result<Part<'_>> {
    let tree = Tree::read(bytes)?;
    let fit = read(&tree)?;
    let help = "give the FIT image that has the kernel, or the kernel itself";
    let images =
        fit.images.ok_or_else(|| none("a device tree without `/images`, and so not a FIT image", help))?;
    let default = fit.configurations.iter().filter(|it| Some(it.name) == fit.default);
    let mut named = default.chain(&fit.configurations).filter_map(|it| it.kernel);
    let image = match named.next() {
        Some(name) => images.iter().find(|image| image.name == name).ok_or_else(|| {
            let what = format!("no image `{}`, which a configuration names", name.escape_ascii());
            Error::malformed("FIT image", "`/images`", what)
        })?,
        None => {
            let is_kernel = |image: &&Node<'_>| [&b"kernel"[..], b"kernel_noload"].contains(&image.kind);
            images.iter().find(is_kernel).ok_or_else(|| none("a FIT image without a kernel", help))?
        }
    };
    let place = format!("`/images/{}`", image.name.escape_ascii());
    let start = match (image.position, image.offset) {
        (Some(position), _) => Some(u64::from(position)),
        (None, Some(offset)) => Some(tree.size.next_multiple_of(ALIGN) + u64::from(offset)),
        (None, None) => None,
    };
    let data = match (image.data, start, image.size) {
        (Some(data), ..) => data,
        (None, Some(start), Some(size)) => part(bytes, start, size.into(), &place)?,
        _ => return Err(Error::malformed("FIT image", place, "neither `data` nor its offset and size")),
    };
    Ok(Part { bytes: data, place })
}

fn read<'a>(tree: &Tree<'a>) -> Result<Fit<'a>> {
    let mut fit = Fit::default();
    let (mut depth, mut top) = (0u32, &b""[..]);
    let mut tokens = tree.tokens();
    while let Some(token) = tokens.next()? {
        match token {
            Token::Begin(name) => {
                depth = depth.saturating_add(1);
                match depth {
                    2 => {
                        top = name;
                        if top == b"images" {
                            fit.images.get_or_insert_default();
                        }
                    }
                    3 => {
                        if let Some(nodes) = fit.nodes(top) {
                            if nodes.len() == MOST_NODES {
                                return Err(Error::Limit {
                                    what: format!("number of nodes in `/{}`", top.escape_ascii()),
                                    limit: MOST_NODES.to_string(),
                                });
                            }
                            nodes.push(Node { name, ..Node::default() });
                        }
                    }
                    _ => {}
                }
            }
            Token::End => depth = depth.saturating_sub(1),
            Token::Property(name, value) if depth == 2 => {
                if top == b"configurations" && is_named(name, "default") {
                    fit.default = Some(text(value));
                }
            }
            Token::Property(name, value) if depth == 3 => {
                if let Some(node) = fit.nodes(top).and_then(|nodes| nodes.last_mut()) {
                    node.set(name, value);
                }
            }
            Token::Property(..) => {}
        }
    }
    Ok(fit)
}

impl<'a> Fit<'a> {
    /// The nodes below a node of the root.
    fn nodes(&mut self, top: &[u8]) -> Option<&mut Vec<Node<'a>>> {
        match top {
            b"images" => self.images.as_mut(),
            b"configurations" => Some(&mut self.configurations),
            _ => None,
        }
    }
}

impl<'a> Node<'a> {
    fn set(&mut self, name: &[u8], value: &'a [u8]) {
        let number = u32_be(value, 0);
        if is_named(name, "data") {
            self.data = Some(value);
        } else if is_named(name, "data-offset") {
            self.offset = number;
        } else if is_named(name, "data-position") {
            self.position = number;
        } else if is_named(name, "data-size") {
            self.size = number;
        } else if is_named(name, "type") {
            self.kind = text(value);
        } else if is_named(name, "kernel") {
            self.kernel = Some(text(value));
        }
    }
}
