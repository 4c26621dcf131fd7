//! The bits of a scan and the Huffman codes in them (ITU T.81, annexes C and F).

/// Codes of up to this many bits are found by one table lookup; longer ones are rare.
const SHORT: u32 = 10;

/// The bits of a scan, without the zeros stuffed into it. Behind its end, zeros.
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    /// The next bits, from the highest on.
    held: u64,
    count: u32,
    /// How many of them stand behind the end.
    padding: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(scan: &'a [u8]) -> Bits<'a> {
        Bits { rest: scan, held: 0, count: 0, padding: 0 }
    }

    /// Makes sure of 32 bits: a code and its value.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(&four) = self.rest.first_chunk() {
            let word = u32::from_be_bytes(four);
            // Whether a byte of it is 0xFF: a marker or a byte with a zero stuffed behind it.
            if (!word).wrapping_sub(0x0101_0101) & word & 0x8080_8080 == 0 {
                self.held |= u64::from(word) << (32 - self.count);
                self.count += 32;
                self.rest = &self.rest[4..];
                return;
            }
        }
        self.fill_by_bytes();
    }

    #[cold]
    fn fill_by_bytes(&mut self) {
        while self.count <= 56 {
            let used = match *self.rest {
                [0xFF, 0, ..] => 2,
                [0xFF, ..] | [] => {
                    self.padding += 64 - self.count;
                    self.count = 64;
                    return;
                }
                [_, ..] => 1,
            };
            self.held |= u64::from(self.rest[0]) << (56 - self.count);
            self.count += 8;
            self.rest = &self.rest[used..];
        }
    }

    #[inline(always)]
    fn skip(&mut self, bits: u32) {
        self.held <<= bits;
        self.count -= bits;
    }

    /// A value of `size` bits, 1 to 15, as the standard stores signed numbers.
    #[inline(always)]
    fn value(&mut self, size: u32) -> i32 {
        let value = (self.held >> (64 - size)) as i32;
        self.skip(size);
        signed(value, size)
    }

    /// Whether more was read than there is.
    pub(super) fn overran(&self) -> bool {
        self.count < self.padding
    }

    /// Goes on behind the restart marker of a number, or `None` when it is not there.
    pub(super) fn restart(&mut self, number: usize) -> Option<()> {
        self.fill_by_bytes();
        // What is left of the last byte fills it up.
        if self.padding == 0 || self.overran() || self.count - self.padding >= 8 {
            return None;
        }
        let rest = self.rest.strip_prefix(&[0xFF, 0xD0 + (number % 8) as u8])?;
        *self = Bits::new(rest);
        Some(())
    }
}

/// The standard's signed numbers: those that begin with a zero are negative.
#[inline(always)]
fn signed(value: i32, size: u32) -> i32 {
    if value < 1 << (size - 1) { value - (1 << size) + 1 } else { value }
}

/// A table of Huffman codes.
pub(super) struct HuffmanTable {
    /// By the next bits: a symbol and its code's length; 0 for longer codes.
    short: [(u8, u8); 1 << SHORT],
    /// By the next bits: value, zeros before it and bits in all, when the value is among them; 0 bits elsewhere.
    values: [(i16, u8, u8); 1 << SHORT],
    /// By length: codes that long, put into 16 bits from the left, lie below this.
    below: [u32; 17],
    /// By length: what leads from a code to its place among the symbols.
    first: [i32; 17],
    symbols: Vec<u8>,
}

/// The next AC symbol of a block.
pub(super) enum AcSymbol {
    /// A coefficient after this many that are zero.
    Coefficient(usize, i32),
    /// Sixteen zeros.
    ZeroRun,
    /// The rest of the block is zero.
    EndOfBlock,
}

impl HuffmanTable {
    /// The codes of `symbols`, of which `counts` have 1, 2, ... 16 bits; `None` when there are more than fit.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<HuffmanTable> {
        let mut table = HuffmanTable {
            short: [(0, 0); 1 << SHORT],
            values: [(0, 0, 0); 1 << SHORT],
            below: [0; 17],
            first: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut place) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            let count = usize::from(counts[length as usize - 1]);
            table.first[length as usize] = place as i32 - code as i32;
            if length <= SHORT {
                for (number, &symbol) in symbols.get(place..place + count)?.iter().enumerate() {
                    let begin = (code as usize + number) << (SHORT - length);
                    table.short.get_mut(begin..begin + (1 << (SHORT - length)))?.fill((symbol, length as u8));
                }
            }
            code += count as u32;
            place += count;
            if code > 1 << length {
                return None;
            }
            table.below[length as usize] = code << (16 - length);
            code <<= 1;
        }
        for (bits, value) in table.values.iter_mut().enumerate() {
            let (symbol, length) = table.short[bits];
            let (zeros, size) = (symbol >> 4, u32::from(symbol & 15));
            let all = u32::from(length) + size;
            if length > 0 && size > 0 && all <= SHORT {
                let raw = (bits >> (SHORT - all)) & ((1 << size) - 1);
                *value = (signed(raw as i32, size) as i16, zeros, all as u8);
            }
        }
        Some(table)
    }

    /// The next symbol; `None` when the bits are no code. Needs 16 bits.
    #[inline(always)]
    fn symbol(&self, bits: &mut Bits) -> Option<u8> {
        let (symbol, length) = self.short[(bits.held >> (64 - SHORT)) as usize];
        if length > 0 {
            bits.skip(u32::from(length));
            return Some(symbol);
        }
        self.long_symbol(bits)
    }

    #[cold]
    fn long_symbol(&self, bits: &mut Bits) -> Option<u8> {
        let next = (bits.held >> 48) as u32;
        let length = (SHORT + 1..=16).find(|&length| next < self.below[length as usize])?;
        let place = (next >> (16 - length)) as i32 + self.first[length as usize];
        bits.skip(length);
        self.symbols.get(usize::try_from(place).ok()?).copied()
    }

    /// The difference of a block's DC coefficient to the previous one.
    #[inline(always)]
    pub(super) fn dc_difference(&self, bits: &mut Bits) -> Option<i32> {
        bits.fill();
        match self.symbol(bits)? {
            0 => Some(0),
            size @ 1..=15 => Some(bits.value(u32::from(size))),
            _ => None,
        }
    }

    /// The next AC symbol of a block.
    #[inline(always)]
    pub(super) fn next_ac(&self, bits: &mut Bits) -> Option<AcSymbol> {
        bits.fill();
        let (value, zeros, all) = self.values[(bits.held >> (64 - SHORT)) as usize];
        if all > 0 {
            bits.skip(u32::from(all));
            return Some(AcSymbol::Coefficient(usize::from(zeros), i32::from(value)));
        }
        let symbol = self.symbol(bits)?;
        match (symbol >> 4, symbol & 15) {
            (15, 0) => Some(AcSymbol::ZeroRun),
            (_, 0) => Some(AcSymbol::EndOfBlock),
            (zeros, size) => Some(AcSymbol::Coefficient(usize::from(zeros), bits.value(u32::from(size)))),
        }
    }
}
