//! Rule definitions, compiler and the event-time engine. Pure: time and facts are arguments.
