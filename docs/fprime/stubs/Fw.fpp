# What the component needs of F´'s own models (default/config, Fw/Com, Fw/Cmd, Fw/Log, Fw/Time, Fw/Tlm), in names and
# types alone: fpp-check takes the component without a checkout of F´. In a deployment F´'s own take their place.

dictionary type FwOpcodeType = U32
dictionary type FwChanIdType = U32
dictionary type FwEventIdType = U32
dictionary type FwSizeType = U64
type FwSizeStoreType = U16
type FwIndexType = I16
type FwEnumStoreType = I32
type FwPrmIdType = U32

module Fw {
  type CmdArgBuffer
  type ComBuffer
  type LogBuffer
  type TextLogString
  type Time
  type TlmBuffer

  enum CmdResponse : U8 {
    OK = 0
    INVALID_OPCODE = 1
    VALIDATION_ERROR = 2
    FORMAT_ERROR = 3
    EXECUTION_ERROR = 4
    BUSY = 5
  }

  enum LogSeverity : U8 {
    FATAL = 1
    WARNING_HI = 2
    WARNING_LO = 3
    COMMAND = 4
    ACTIVITY_HI = 5
    ACTIVITY_LO = 6
    DIAGNOSTIC = 7
  }

  port Cmd(opCode: FwOpcodeType, cmdSeq: U32, ref args: CmdArgBuffer)
  port CmdReg(opCode: FwOpcodeType)
  port CmdResponse(opCode: FwOpcodeType, cmdSeq: U32, response: Fw.CmdResponse)
  port Com(ref data: ComBuffer, context: U32)
  port Log($id: FwEventIdType, ref timeTag: Fw.Time, $severity: LogSeverity, ref args: LogBuffer)
  port LogText($id: FwEventIdType, ref timeTag: Fw.Time, $severity: LogSeverity, ref $text: TextLogString)
  port Time(ref $time: Fw.Time)
  port Tlm($id: FwChanIdType, ref timeTag: Fw.Time, ref val: TlmBuffer)
}
