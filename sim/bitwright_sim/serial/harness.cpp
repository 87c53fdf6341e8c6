// Drives one Verilated board over its serial pins. The host's bits have the length of the host's baud rate, which is no
// whole number of clock cycles; both directions keep their own time, as two machines do.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "Vserial.h"
#include "verilated.h"

namespace {

struct Item {  // what the host puts on the line next
    int kind;  // 0 byte, 1 low for `value` bits (a break), 2 high for `value` bits, 3 byte without stop bit
    uint32_t value;
};

struct Serial {
    std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    std::unique_ptr<Vserial> top;
    double bit;
    uint64_t cycle = 0;

    std::deque<Item> queue;
    std::vector<uint8_t> levels;  // bits of the item being sent
    std::size_t position = 0;
    double next_edge = 0;

    int receiving = -1;  // bits sampled of the byte coming in, -1 between bytes
    double next_sample = 0;
    uint32_t shift = 0;
    bool was_high = true;
    std::deque<uint8_t> received;
    uint64_t framing_errors = 0;

    void next_item() {
        levels.clear();
        position = 0;
        if (queue.empty()) return;
        const Item item = queue.front();
        queue.pop_front();
        if (item.kind == 0 || item.kind == 3) {
            levels.push_back(0);
            for (int k = 0; k < 8; ++k) levels.push_back(item.value >> k & 1);
            levels.push_back(item.kind == 0);
            if (item.kind == 3) levels.push_back(1);
        } else {
            levels.assign(item.value, item.kind == 2);
        }
    }

    void step() {
        const double now = static_cast<double>(cycle);
        if (position < levels.size()) {
            if (now >= next_edge + bit) {
                next_edge += bit;
                if (++position == levels.size()) next_item();
            }
        } else if (!queue.empty()) {
            next_item();
            next_edge = now;
        }
        top->rx = position < levels.size() ? levels[position] : 1;
        top->clk = 0;
        top->eval();
        top->clk = 1;
        top->eval();
        ++cycle;
        const bool line = top->tx;
        if (receiving < 0) {
            if (was_high && !line) {
                receiving = 0;
                next_sample = now + bit / 2;
                shift = 0;
            }
        } else if (now >= next_sample) {
            next_sample += bit;
            if (receiving == 0 && line) {
                receiving = -1;  // a spike
            } else if (receiving == 9) {
                if (line) received.push_back(static_cast<uint8_t>(shift));
                else ++framing_errors;
                receiving = -1;
            } else {
                if (receiving > 0) shift |= static_cast<uint32_t>(line) << (receiving - 1);
                ++receiving;
            }
        }
        was_high = line;
    }
};

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

Serial* serial_new(double cycles_per_bit) {
    Serial* serial = new Serial;
    serial->bit = cycles_per_bit;
    serial->top.reset(new Vserial{serial->context.get(), "board"});
    serial->top->rx = 1;
    return serial;
}

void serial_free(Serial* serial) {
    serial->top->final();
    delete serial;
}

void serial_put(Serial* serial, const uint8_t* bytes, uint64_t count) {
    for (uint64_t k = 0; k < count; ++k) serial->queue.push_back({0, bytes[k]});
}

void serial_put_item(Serial* serial, int kind, uint32_t value) { serial->queue.push_back({kind, value}); }

// Runs until `want` bytes wait, or `cycles` have passed; returns how many wait.
uint64_t serial_run(Serial* serial, uint64_t want, uint64_t cycles) {
    for (uint64_t k = 0; k < cycles && serial->received.size() < want; ++k) serial->step();
    return serial->received.size();
}

uint64_t serial_take(Serial* serial, uint8_t* bytes, uint64_t count) {
    uint64_t taken = 0;
    while (taken < count && !serial->received.empty()) {
        bytes[taken++] = serial->received.front();
        serial->received.pop_front();
    }
    return taken;
}

uint64_t serial_unsent(Serial* serial) {
    return serial->queue.size() + (serial->position < serial->levels.size() ? 1 : 0);
}
uint64_t serial_cycle(Serial* serial) { return serial->cycle; }
uint64_t serial_framing_errors(Serial* serial) { return serial->framing_errors; }
uint32_t serial_leds(Serial* serial) { return serial->top->led; }

}  // extern "C"
#pragma GCC visibility pop
