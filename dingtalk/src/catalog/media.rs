//! Files.

use super::param::{id, robot_code, word};
use super::{Access, Api, Family, Manner, post};

pub(super) const APIS: &[Api] = &[
    Api::new(
        Family::Media,
        Access::Write,
        "media.upload",
        "Uploads a file for messages.",
    )
    .legacy(
        post(
            "/media/upload",
            &[word("type", &["image", "voice", "video", "file"]).required()],
        )
        .manner(Manner::Upload("media")),
    ),
    Api::new(
        Family::Media,
        Access::Read,
        "media.download",
        "Gives an address for a file that somebody sent to the robot.",
    )
    .modern(post(
        "/v1.0/robot/messageFiles/download",
        &[
            text_code("downloadCode"),
            robot_code("robotCode").required(),
        ],
    )),
];

/// Codes are long and their form is not documented.
const fn text_code(name: &'static str) -> super::Param {
    let mut code = id(name).required();
    code.kind = super::Kind::Text(4096);
    code
}
