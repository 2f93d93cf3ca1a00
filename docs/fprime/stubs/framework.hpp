// F´'s framework in names and types alone, as far as the component and the base class that fpp-to-cpp makes of it use them: a compiler checks
// Captioner.cpp against the real base class without a checkout of F´. In a deployment F´'s own headers take its place.

#ifndef FRAMEWORK_HPP
#define FRAMEWORK_HPP

#include <cstdint>
#include <cstring>

using U8 = std::uint8_t;
using U16 = std::uint16_t;
using U32 = std::uint32_t;
using I16 = std::int16_t;
using I32 = std::int32_t;
using F32 = float;
using FwOpcodeType = U32;
using FwChanIdType = U32;
using FwEventIdType = U32;
using FwSizeType = std::uint64_t;
using FwSizeStoreType = U16;
using FwIndexType = I16;
using FwEnumStoreType = I32;
using FwAssertArgType = I32;

#define FW_COM_BUFFER_MAX_SIZE 512
#define FW_CMD_STRING_MAX_SIZE 160
#define FW_ENABLE_TEXT_LOGGING 1
#define FW_PORT_SERIALIZATION 1
#define FW_SERIALIZABLE_TO_STRING 1
#define FW_DIRECT_PORT_CALLS 0
#define FW_ASSERT(...) static_cast<void>(0)

struct TimeBase {
    enum T { TB_NONE, TB_PROC_TIME, TB_WORKSTATION_TIME, TB_SC_TIME, TB_DONT_CARE };
    TimeBase(T e);
    operator T() const;
};

namespace Fw {

enum SerializeStatus { FW_SERIALIZE_OK };
enum class Endianness { BIG, LITTLE };
struct SerialBufferBase {};
struct Serializable {};
struct StringBase {
    const char* toChar() const;
};
struct String : StringBase {
    String(const char* text);
};
struct CmdStringArg : StringBase {};
struct Time {
    Time();
    TimeBase getTimeBase() const;
    U32 getSeconds() const;
};
struct ComBuffer {
    ComBuffer(const U8* bytes, FwSizeType size);
};
struct CmdArgBuffer {};
struct LogBuffer {};
struct TextLogString {};
struct TlmBuffer {};
struct LogSeverity {};
struct CmdResponse {
    enum T { OK, INVALID_OPCODE, VALIDATION_ERROR, FORMAT_ERROR, EXECUTION_ERROR, BUSY };
    CmdResponse(T e);
};
struct PassiveComponentBase {
    virtual ~PassiveComponentBase() = default;
};
struct ActiveComponentBase : PassiveComponentBase {
    enum MsgDispatchStatus { MSG_DISPATCH_OK };
};
struct InputSerializePort {};
struct InputCmdPort {};
struct InputCmdRegPort {};
struct InputCmdResponsePort {};
struct InputComPort {};
struct InputLogPort {};
struct InputLogTextPort {};
struct InputTimePort {};
struct InputTlmPort {};
struct OutputCmdRegPort {};
struct OutputCmdResponsePort {};
struct OutputComPort {};
struct OutputLogPort {};
struct OutputLogTextPort {};
struct OutputTimePort {};
struct OutputTlmPort {};

}  // namespace Fw

#endif
