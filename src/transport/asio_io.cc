// Asio, compiled once: its headers cost seconds in every file that would instantiate it.
#include <asio/impl/src.hpp>
