//! Just enough of WebSocket (RFC 6455) to close a stream of frames politely: where one frame ends
//! and the next begins, and what a close frame looks like. Payloads are never looked at.

/// Follows one direction of a WebSocket connection.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    head: [u8; 14],
    head_length: usize,
    payload_left: u64,
}

/// "Going away", the reason for closing when a server goes down (RFC 6455 section 7.4.1).
const GOING_AWAY: [u8; 2] = 1001_u16.to_be_bytes();
const FINAL_CLOSE: u8 = 0x88;
const CLOSE: u8 = 0x08;
const MASKED: u8 = 0x80;

impl Frames {
    /// Whether the next byte begins a new frame, so that another frame may be put before it.
    pub(crate) fn at_boundary(&self) -> bool {
        self.head_length == 0 && self.payload_left == 0
    }

    /// Follows `bytes` up to the first boundary in them; tells how many bytes that is.
    /// From a boundary, it goes on to the end of the next frame.
    pub(crate) fn advance_to_boundary(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            if self.payload_left > 0 {
                let step = self.payload_left.min((bytes.len() - at) as u64);
                self.payload_left -= step;
                // No more than the slice is long, so it fits.
                at += usize::try_from(step).unwrap_or(bytes.len() - at);
            } else {
                self.head[self.head_length] = bytes[at];
                self.head_length += 1;
                at += 1;
                if self.head_length < self.head_needed() {
                    continue;
                }
                self.payload_left = self.payload_length();
                self.head_length = 0;
            }
            if self.at_boundary() {
                return at;
            }
        }
        at
    }

    /// Follows all of `bytes`; tells whether a whole close frame went by.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> bool {
        let (mut at, mut closed) = (0, false);
        while at < bytes.len() {
            at += self.advance_to_boundary(&bytes[at..]);
            closed |= self.at_boundary() && self.head[0] & 0x0F == CLOSE;
        }
        closed
    }

    fn head_needed(&self) -> usize {
        if self.head_length < 2 {
            return 2;
        }
        let extended = match self.head[1] & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.head[1] & MASKED == 0 { 0 } else { 4 };
        2 + extended + mask
    }

    fn payload_length(&self) -> u64 {
        let extended = |bytes: &[u8]| bytes.iter().fold(0, |sum, b| sum << 8 | u64::from(*b));
        match self.head[1] & !MASKED {
            126 => extended(&self.head[2..4]),
            127 => extended(&self.head[2..10]),
            short => u64::from(short),
        }
    }
}

/// A close frame as a server sends it.
pub(crate) fn close_from_server() -> Vec<u8> {
    let mut frame = vec![FINAL_CLOSE, 2];
    frame.extend(GOING_AWAY);
    frame
}

/// A close frame as a client sends it: masked.
pub(crate) fn close_from_client(mask: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![FINAL_CLOSE, MASKED | 2];
    frame.extend(mask);
    frame.extend(GOING_AWAY.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(opcode: u8, length: usize, mask: bool) -> Vec<u8> {
        let bit = if mask { MASKED } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short @ 0..=125), _) => frame.push(bit | short),
            (_, Ok(middle)) => {
                frame.push(bit | 0x7E);
                frame.extend(middle.to_be_bytes());
            }
            _ => {
                frame.push(bit | 0x7F);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(if mask { vec![1, 2, 3, 4] } else { vec![] });
        // Payload that looks like frame heads, so that a parser that loses its place is caught.
        frame.extend(std::iter::repeat_n(0x88, length));
        frame
    }

    /// Feeds frames in pieces of every size and compares the boundaries found with the true ones.
    fn check(frames: &[Vec<u8>]) {
        let stream = frames.concat();
        let ends = frames.iter().scan(0, |end, frame| {
            *end += frame.len();
            Some(*end)
        });
        let ends: Vec<_> = ends.collect();
        for piece in [1, 2, 3, 7, 1_000, stream.len()] {
            let (mut parser, mut found, mut at) = (Frames::default(), vec![], 0);
            for part in stream.chunks(piece) {
                let mut rest = part;
                while !rest.is_empty() {
                    let step = parser.advance_to_boundary(rest);
                    (at, rest) = (at + step, &rest[step..]);
                    if parser.at_boundary() {
                        found.push(at);
                    }
                }
            }
            assert_eq!(found, ends, "pieces of {piece}");
        }
    }

    #[test]
    fn boundaries() {
        check(&[frame(1, 0, false)]);
        check(&[frame(1, 5, false), frame(9, 0, true), frame(2, 125, true)]);
        check(&[frame(2, 126, false), frame(2, 65_535, true), frame(2, 65_536, false)]);
    }

    #[test]
    fn closes_are_seen() {
        let seen = |frames: &[Vec<u8>]| Frames::default().advance(&frames.concat());
        assert!(!seen(&[frame(1, 200, false), frame(9, 3, false)]));
        assert!(seen(&[frame(1, 200, false), close_from_server()]));
        assert!(seen(&[close_from_client([9, 8, 7, 6])]));
        let closing = close_from_server();
        assert!(!Frames::default().advance(&closing[..3]));
    }

    #[test]
    fn close_frames_say_1001() {
        assert_eq!(close_from_server(), [0x88, 2, 0x03, 0xE9]);
        assert_eq!(close_from_client([0xFF; 4]), [0x88, 0x82, 255, 255, 255, 255, 0xFC, 0x16]);
    }
}
